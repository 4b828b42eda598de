"""Heat maps: a method's folds by test domains, and where rho ended in every layer."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from metabin.report.display import percent, row_word
from metabin.report.inputs import ReportInputs
from metabin.report.style import INK, MISSING, MUTED, SEQUENTIAL
from metabin.results import tables

LIGHT_PART = 0.6  # of the colour scale: dark figures stay readable on its darkest colour (contrast over 4.5)
LONG_NAME = 8  # characters that fit over one cell; longer names are slanted


def shared_maximum(inputs: ReportInputs) -> float:
    """The top of the colour scale common to all matrices: the highest mAP, rounded up to a tenth."""
    matrices = [tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested) for method in inputs.rows]
    values = np.concatenate([cells.to_numpy(dtype=float).ravel() for cells in matrices])
    highest = float(np.nanmax(values, initial=0.0))
    return min(1.0, max(0.1, math.ceil(highest * 10 - 1e-9) / 10))


def matrix_heatmap(inputs: ReportInputs, method: str, top: float) -> Figure:
    """mAP in percent, a row a fold, columns tested on; the unseen cells outlined; colours up to `top`."""
    values = tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested).to_numpy(dtype=float)
    folds, domains = [clip(name) for name in inputs.folds], [clip(name) for name in inputs.tested]
    margin = min(1.5, 0.075 * max(map(len, folds)))
    size = (0.75 + margin + 0.6 * len(domains), 0.85 + 0.45 * len(folds))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    _paint(axes, values, top)
    for (row, column), value in np.ndenumerate(values):
        color = MUTED if math.isnan(value) else INK
        weight = "bold" if (inputs.folds[row], inputs.tested[column]) in inputs.unseen else "normal"
        axes.text(column, row, percent(value), ha="center", va="center", color=color, weight=weight, size=9.5)
    for fold, domain in inputs.unseen:
        for color, width in (("white", 4.5), (INK, 2.0)):
            corner = (inputs.tested.index(domain) - 0.46, inputs.folds.index(fold) - 0.45)
            axes.add_patch(Rectangle(corner, 0.92, 0.9, fill=False, edgecolor=color, lw=width))
    _name_axes(axes, folds, domains)
    axes.set_ylabel(row_word(inputs))
    return figure


def rho_histogram(inputs: ReportInputs, method: str) -> Figure:
    """Share of a layer's channels in each bin of rho at the last step, layers in network order downwards."""
    shares = final_shares(inputs.rho_histograms, method)
    recorded = [final_shares(inputs.rho_histograms, name) for name in histogram_methods(inputs)]
    top = max(float(table.to_numpy().max()) for table in recorded)
    figure = Figure(figsize=(4.7, 1.0 + min(0.2 * len(shares), 5.0)), layout="constrained")
    axes = figure.subplots()
    lefts = shares.columns.to_numpy(dtype=float)
    edges = np.append(lefts, lefts[-1] + (lefts[1] - lefts[0] if len(lefts) > 1 else 1.0))
    mesh = axes.pcolormesh(
        edges, np.arange(len(shares) + 1), shares.to_numpy(), cmap=SEQUENTIAL, vmin=0, vmax=top,
        edgecolor="white", linewidth=0.4,
    )  # fmt: skip
    axes.invert_yaxis()
    axes.grid(False)
    axes.spines[:].set_visible(False)
    name_layers(axes, [str(layer) for layer in shares.index], centre=0.5)
    axes.set_xlabel("rho   (0 = instance norm, 1 = batch norm)")
    percents = PercentFormatter(xmax=1, decimals=0, symbol="")
    bar = figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.02, format=percents)
    bar.outline.set_visible(False)
    bar.set_label("% of the layer's channels")
    return figure


def histogram_methods(inputs: ReportInputs) -> list[str]:
    """The trained methods that recorded rho histograms, in order."""
    recorded = set() if inputs.rho_histograms.empty else set(inputs.rho_histograms["method"])
    return [method for method in inputs.trained if method in recorded]


def final_shares(histograms: pd.DataFrame, method: str) -> pd.DataFrame:
    """Layers by left edges of bins: share of the channels at the last step of each run, all runs together."""
    mine = histograms[histograms["method"] == method]
    last = mine[mine["step"] == mine.groupby(["fold", "seed"])["step"].transform("max")]
    counts = last.groupby(["layer", "bin_left"], sort=False)["count"].sum().unstack(fill_value=0)
    counts = counts.reindex(index=list(dict.fromkeys(last["layer"]))).sort_index(axis=1)
    return counts.div(counts.sum(axis=1), axis=0).fillna(0.0)


def name_layers(axes: Axes, layers: Sequence[str], *, centre: float = 0.0) -> None:
    """Layer names on the y axis, every n-th when there are too many to read."""
    every = math.ceil(len(layers) / 26)
    heights = [index + centre for index in range(0, len(layers), every)]
    axes.set_yticks(heights, [shorten(layer) for layer in layers[::every]], fontsize=7.5)


def clip(name: str, limit: int = 18) -> str:
    """The start of a long domain name."""
    return name if len(name) <= limit else name[: limit - 3] + "..."


def shorten(name: str, limit: int = 26) -> str:
    """The end of a long dotted name, which tells layers apart."""
    return name if len(name) <= limit else "..." + name[-(limit - 3) :]


def _paint(axes: Axes, values: np.ndarray, top: float) -> None:
    colors = SEQUENTIAL.with_extremes(bad=MISSING)
    axes.imshow(np.ma.masked_invalid(values), cmap=colors, vmin=0, vmax=top / LIGHT_PART, aspect="auto")
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.grid(False)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _name_axes(axes: Axes, folds: Sequence[str], domains: Sequence[str]) -> None:
    slanted = max(map(len, domains)) > LONG_NAME
    turn = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(np.arange(len(domains)), list(domains), color=INK, fontsize=9, **turn)
    axes.set_yticks(np.arange(len(folds)), list(folds), color=INK, fontsize=9)
    axes.set_xlabel("tested on")
