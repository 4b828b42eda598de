"""Curves over training steps: losses, step sizes, and rho of every layer."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from metabin.report.heatmaps import name_layers, shorten
from metabin.report.inputs import RUN_KEYS, ReportInputs
from metabin.report.style import MUTED, styles_for

MAX_POINTS = 120  # more steps than this are averaged in as many equal bins
MAX_PANELS = 16
MAX_ROWS = 27  # more layers than this share the height of as many

LOSS_TITLES = {
    "base/ce": "Cross-entropy",
    "base/triplet": "Triplet",
    "base/total": "Sum",
    "meta_train/scatter": "Scatter",
    "meta_train/shuffle": "Shuffle",
    "meta_train/triplet": "Triplet",
    "meta_test/triplet": "Triplet",
    "lr/base": "Step size, weights",
    "lr/inner": "Step size, inner",
}


def loss_columns(losses: pd.DataFrame) -> list[str]:
    """The columns that hold at least one number beside the keys, in the order of the frame."""
    return [name for name in losses.columns if name not in RUN_KEYS and losses[name].notna().any()]


def curve(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean and standard deviation (0 for one run) over runs at each step; long runs are averaged in bins.

    Returns:
        Indexed by step: mean, std.
    """
    rows = frame[["fold", "seed", "step", column]].dropna()
    steps = rows["step"].astype(float)
    if steps.nunique() > MAX_POINTS:
        edges = np.linspace(steps.min(), steps.max(), MAX_POINTS + 1)
        bins = np.clip(np.digitize(steps, edges) - 1, 0, MAX_POINTS - 1)
        steps = pd.Series((edges[bins] + edges[bins + 1]) / 2, index=rows.index)
    runs = rows.assign(step=steps).groupby(["step", "fold", "seed"])[column].mean()
    return runs.groupby("step").agg(["mean", "std"]).fillna({"std": 0.0})


def loss_curves(inputs: ReportInputs, column: str) -> Figure:
    """One loss or step size over steps: a line a method (mean over runs), a band of one std."""
    styles = styles_for(inputs.rows)
    figure = Figure(figsize=(3.25, 2.2), layout="constrained")
    axes = figure.subplots()
    ends: list[tuple[str, float, str]] = []
    for method in inputs.trained:
        points = curve(inputs.losses[inputs.losses["method"] == method], column)
        if points.empty:
            continue
        style = styles[method]
        _band(axes, points.index, points["mean"] - points["std"], points["mean"] + points["std"], style.color)
        axes.plot(points.index, points["mean"], color=style.color)
        ends.append((style.short or style.label, float(points["mean"].iloc[-1]), style.color))
    axes.set_title(LOSS_TITLES.get(column, column))
    if column in LOSS_TITLES:
        axes.set_title(column, loc="right", fontsize=7.5, weight="normal", color=MUTED)
    axes.set_xlabel("step")
    axes.margins(x=0)
    _tidy_ticks(axes)
    _label_ends(axes, ends)
    return figure


def rho_profile(inputs: ReportInputs) -> Figure:
    """rho at the last step, a row a layer: mean over channels, a bar from the 10 % to the 90 % quantile."""
    last_step = inputs.rho.groupby(["fold", "method", "seed"])["step"].transform("max")
    final = inputs.rho[inputs.rho["step"] == last_step]
    layers, methods = _layers(inputs.rho), _rho_methods(inputs)
    row_height = max(0.24, 0.08 * len(methods))  # inches
    spread = 0.34 if len(methods) <= 3 else 0.6  # of a row, from its first method to its last
    height = row_height * min(len(layers), MAX_ROWS)
    figure = Figure(figsize=(5.9, 0.95 + height), layout="constrained")
    axes = figure.subplots()
    styles = styles_for(inputs.rows)
    for index, method in enumerate(methods):
        mine = final[final["method"] == method]
        rows = mine.groupby("layer")[["mean", "q10", "q90"]].mean().reindex(layers)
        heights = np.arange(len(layers)) + spread * (index - (len(methods) - 1) / 2) / max(1, len(methods) - 1)
        color, marker, label = styles[method].color, styles[method].marker, styles[method].label
        axes.hlines(heights, rows["q10"], rows["q90"], color=color, lw=2, alpha=0.4)
        axes.scatter(rows["mean"], heights, s=20, color=color, marker=marker, label=label, zorder=3)
    name_layers(axes, layers)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("rho   (0 = instance norm, 1 = batch norm)")
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper left", ncols=min(3, len(methods)), fontsize=8.5, handletextpad=0.3)
    return figure


def rho_steps(inputs: ReportInputs) -> Figure:
    """rho over steps, a panel a layer (some, when there are many): mean, band from 10 % to 90 % quantile."""
    layers, styles = shown_layers(_layers(inputs.rho)), styles_for(inputs.rows)
    methods = _rho_methods(inputs)
    num_columns = min(4, len(layers))
    num_rows = -(-len(layers) // num_columns)
    layout = ConstrainedLayoutEngine(wspace=0.05)
    figure = Figure(figsize=(9.6, 0.55 + 1.5 * num_rows), layout=layout)
    panels = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, layer in zip(panels, layers, strict=False):
        for method in methods:
            mine = inputs.rho[(inputs.rho["layer"] == layer) & (inputs.rho["method"] == method)]
            low, mean, high = (curve(mine, column)["mean"] for column in ("q10", "mean", "q90"))
            style = styles[method]
            _band(axes, low.index, low, high, style.color)
            axes.plot(mean.index, mean, color=style.color, label=style.label)
        axes.set_title(shorten(layer, 30), fontsize=8, weight="normal")
        _tidy_ticks(axes)
        axes.margins(x=0)
    for axes in panels[len(layers) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(layers) - num_columns) : len(layers)]:
        axes.tick_params(labelbottom=True)
    _limit_rho(panels[0], inputs.rho)
    figure.supxlabel("step", fontsize=8, color=MUTED)
    figure.supylabel("rho", fontsize=8, color=MUTED)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(5, len(methods)), fontsize=8.5)
    return figure


def shown_layers(layers: Sequence[str]) -> list[str]:
    """At most MAX_PANELS layers, evenly spaced, the first and the last among them."""
    if len(layers) <= MAX_PANELS:
        return list(layers)
    picks = np.linspace(0, len(layers) - 1, MAX_PANELS).round().astype(int)
    return [layers[int(index)] for index in picks]


def spread_labels(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions moved as little as needed to lie `gap` apart inside [low, high]; their order is kept."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    placed = [0.0] * len(positions)
    floor = low
    for index in order:
        placed[index] = max(positions[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def _label_ends(axes: Axes, ends: Iterable[tuple[str, float, str]]) -> None:
    ends = list(ends)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    heights = [(value - low) / (high - low) for _, value, _ in ends]
    for (label, _, color), height in zip(ends, spread_labels(heights, 0.105, 0.02, 0.98), strict=True):
        axes.annotate(label, (1, height), (5, 0), xycoords="axes fraction", textcoords="offset points",
                      va="center", color=color, fontsize=7.5, weight="bold")  # fmt: skip


def _band(axes: Axes, steps: pd.Index, low: pd.Series, high: pd.Series, color: str) -> None:
    axes.fill_between(steps, low, high, color=color, alpha=0.13, lw=0)


def _tidy_ticks(axes: Axes) -> None:
    axes.locator_params(axis="x", nbins=4)
    axes.locator_params(axis="y", nbins=4)


def _limit_rho(axes: Axes, rho: pd.DataFrame) -> None:
    """The y range common to all panels: what the quantiles reach, rounded outwards to a tenth."""
    low = np.floor(float(rho["q10"].min()) * 10) / 10
    high = np.ceil(float(rho["q90"].max()) * 10) / 10
    axes.set_ylim(low - 0.02, max(high, low + 0.2) + 0.02)


def _layers(rho: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(rho["layer"]))


def _rho_methods(inputs: ReportInputs) -> list[str]:
    recorded = set(inputs.rho["method"])
    return [method for method in inputs.trained if method in recorded]
