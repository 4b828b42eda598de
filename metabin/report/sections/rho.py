"""Section "Learned rho": rho by layer, over steps, and its distribution over channels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from metabin.report.charts import slug
from metabin.report.display import MINUS, runs_word
from metabin.report.inputs import ReportInputs
from metabin.report.plots import band, mean_curve, name_layers, reduce_ticks, shorten
from metabin.report.rho_page.render import FILE
from metabin.report.section import (
    CaptionedChart,
    Chart,
    ChartGrid,
    Heading,
    Paragraph,
    Part,
    Section,
)
from metabin.report.style import MUTED, SEQUENTIAL, styles_for

MAX_PANELS = 16
MAX_ROWS = 27  # more layers than this share the height of as many
AXIS_LABEL = "rho   (0 = instance norm, 1 = batch norm)"
PAGE_CONTENT = (
    "lies beside this page. With a slider over the steps, it has the histograms of all layers and "
    "the path of every channel, for every fold and every method that learns rho."
)


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without records of rho."""
    histograms = histogram_methods(inputs)
    if inputs.rho.empty and not histograms:
        return None
    explanation = (
        f"Every channel mixes rho of batch norm with 1 {MINUS} rho of instance norm. Means over "
        f"{runs_word(inputs)}; layers are in network order."
    )
    parts: list[Part] = [Paragraph(explanation)]
    if inputs.rho_channels:
        parts.append(Paragraph(PAGE_CONTENT, FILE))
    if not inputs.rho.empty:
        parts += curve_parts(inputs)
    if histograms:
        charts = [histogram_chart(inputs, method) for method in histograms]
        title = "Distribution over channels at the last step"
        parts += [Heading(title), ChartGrid(charts, wide=True)]
    title = "Learned rho, the share of batch norm"
    return Section(title, "rho", "Learned rho", parts, in_text=False)


def curve_parts(inputs: ReportInputs) -> list[Part]:
    """Return the charts of rho at the last step and over steps."""
    profile = Chart(
        "rho_profile",
        "rho at the last step in every layer, mean and 10 to 90 % of channels.",
        partial(profile_figure, inputs),
    )
    profile_caption = "Marker: mean over the channels of a layer. Bar: 10 to 90 % of the channels."
    steps = Chart(
        "rho_steps",
        "rho over training steps, a panel for each layer.",
        partial(steps_figure, inputs),
    )
    steps_caption = (
        "Line: mean over the channels. Band: 10 to 90 % of the channels. With many layers, the "
        "chart has some of them, evenly spaced."
    )
    return [
        Heading("rho of each layer at the last step"),
        CaptionedChart(profile, [Paragraph(profile_caption)]),
        Heading("rho of each layer over training steps"),
        CaptionedChart(steps, [Paragraph(steps_caption)], layout="below"),
    ]


def histogram_chart(inputs: ReportInputs, method: str) -> Chart:
    """Return the chart of the final rho of all channels of one method."""
    label = styles_for(inputs.rows)[method].label
    return Chart(
        f"rho_final_{slug(method)}",
        f"{label}: share of channels by rho at the last step, a row for each layer.",
        partial(histogram_figure, inputs, method),
        title=label,
        method=method,
    )


def histogram_methods(inputs: ReportInputs) -> list[str]:
    """Return the trained methods with records of rho histograms, in order."""
    recorded = set() if inputs.rho_histograms.empty else set(inputs.rho_histograms["method"])
    return [method for method in inputs.trained if method in recorded]


def profile_figure(inputs: ReportInputs) -> Figure:
    """Draw rho at the last step, one row per layer: mean, and 10 % to 90 % of channels."""
    last_step = inputs.rho.groupby(["fold", "method", "seed"])["step"].transform("max")
    final = inputs.rho[inputs.rho["step"] == last_step]
    layers = _layers(inputs.rho)
    methods = _rho_methods(inputs)
    row_height = max(0.24, 0.08 * len(methods))  # inches
    spread = 0.34 if len(methods) <= 3 else 0.6  # share of a row from the first to the last method
    height = row_height * min(len(layers), MAX_ROWS)
    figure = Figure(figsize=(5.9, 0.95 + height), layout="constrained")
    axes = figure.subplots()
    styles = styles_for(inputs.rows)
    for index, method in enumerate(methods):
        means = final[final["method"] == method].groupby("layer")[["mean", "q10", "q90"]].mean()
        rows = means.reindex(layers)
        # Methods of one layer lie above each other, centred on its row.
        shift = spread * (index - (len(methods) - 1) / 2) / max(1, len(methods) - 1)
        heights = np.arange(len(layers)) + shift
        style = styles[method]
        axes.hlines(heights, rows["q10"], rows["q90"], color=style.color, lw=2, alpha=0.4)
        axes.scatter(
            rows["mean"],
            heights,
            s=20,
            color=style.color,
            marker=style.marker,
            label=style.label,
            zorder=3,
        )
    name_layers(axes, layers)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(AXIS_LABEL)
    axes.spines["left"].set_visible(False)
    figure.legend(
        loc="outside upper left", ncols=min(3, len(methods)), fontsize=8.5, handletextpad=0.3
    )
    return figure


def steps_figure(inputs: ReportInputs) -> Figure:
    """Draw rho over steps, one panel per layer: mean, and a band from 10 % to 90 % of channels."""
    layers = select_layers(_layers(inputs.rho))
    styles = styles_for(inputs.rows)
    methods = _rho_methods(inputs)
    num_columns = min(4, len(layers))
    num_rows = -(-len(layers) // num_columns)  # rounded up
    layout = ConstrainedLayoutEngine(wspace=0.05)
    figure = Figure(figsize=(9.6, 0.55 + 1.5 * num_rows), layout=layout)
    grid = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False)
    panels = grid.ravel()
    for axes, layer in zip(panels, layers, strict=False):
        for method in methods:
            is_curve = (inputs.rho["layer"] == layer) & (inputs.rho["method"] == method)
            rows = inputs.rho[is_curve]
            low, mean, high = (mean_curve(rows, name)["mean"] for name in ("q10", "mean", "q90"))
            style = styles[method]
            band(axes, low.index, low, high, style.color)
            axes.plot(mean.index, mean, color=style.color, label=style.label)
        axes.set_title(shorten(layer, 30), fontsize=8, weight="normal")
        reduce_ticks(axes)
        axes.margins(x=0)
    for axes in panels[len(layers) :]:
        axes.set_visible(False)
    # The last panel of every column has step numbers, also above a hidden panel.
    for axes in panels[max(0, len(layers) - num_columns) : len(layers)]:
        axes.tick_params(labelbottom=True)
    _limit_rho(panels[0], inputs.rho)
    figure.supxlabel("step", fontsize=8, color=MUTED)
    figure.supylabel("rho", fontsize=8, color=MUTED)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=min(5, len(methods)), fontsize=8.5
    )
    return figure


def histogram_figure(inputs: ReportInputs, method: str) -> Figure:
    """Draw the share of a layer's channels in each bin of rho at the last step."""
    shares = final_shares(inputs.rho_histograms, method)
    recorded = [final_shares(inputs.rho_histograms, name) for name in histogram_methods(inputs)]
    top = max(float(table.to_numpy().max()) for table in recorded)  # one scale for all methods
    figure = Figure(figsize=(4.7, 1.0 + min(0.2 * len(shares), 5.0)), layout="constrained")
    axes = figure.subplots()
    lefts = shares.columns.to_numpy(dtype=float)
    width = lefts[1] - lefts[0] if len(lefts) > 1 else 1.0
    mesh = axes.pcolormesh(
        np.append(lefts, lefts[-1] + width),
        np.arange(len(shares) + 1),
        shares.to_numpy(),
        cmap=SEQUENTIAL,
        vmin=0,
        vmax=top,
        edgecolor="white",
        linewidth=0.4,
    )
    axes.invert_yaxis()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    name_layers(axes, [str(layer) for layer in shares.index], centre=0.5)
    axes.set_xlabel(AXIS_LABEL)
    percents = PercentFormatter(xmax=1, decimals=0, symbol="")
    bar = figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.02, format=percents)
    bar.outline.set_visible(False)
    bar.set_label("% of the layer's channels")
    return figure


def final_shares(histograms: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the share of channels at the last step of each run, all runs together.

    Layers, in network order, by left edges of bins.
    """
    rows = histograms[histograms["method"] == method]
    last_step = rows.groupby(["fold", "seed"])["step"].transform("max")
    last = rows[rows["step"] == last_step]
    counts = last.groupby(["layer", "bin_left"], sort=False)["count"].sum().unstack(fill_value=0)
    # unstack sorts the layers, so their order is restored.
    counts = counts.reindex(index=list(dict.fromkeys(last["layer"]))).sort_index(axis=1)
    return counts.div(counts.sum(axis=1), axis=0).fillna(0.0)


def select_layers(layers: Sequence[str]) -> list[str]:
    """Return at most MAX_PANELS layers, evenly spaced, with the first and the last."""
    if len(layers) <= MAX_PANELS:
        return list(layers)
    picks = np.linspace(0, len(layers) - 1, MAX_PANELS).round().astype(int)
    return [layers[int(index)] for index in picks]


def _limit_rho(axes: Axes, rho: pd.DataFrame) -> None:
    """Set the y range of all panels: the range of the quantiles, rounded outwards to 0.1."""
    low = np.floor(float(rho["q10"].min()) * 10) / 10
    high = np.ceil(float(rho["q90"].max()) * 10) / 10
    axes.set_ylim(low - 0.02, max(high, low + 0.2) + 0.02)


def _layers(rho: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(rho["layer"]))


def _rho_methods(inputs: ReportInputs) -> list[str]:
    recorded = set(inputs.rho["method"])
    return [method for method in inputs.trained if method in recorded]
