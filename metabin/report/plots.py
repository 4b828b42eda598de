"""Helpers that several charts share: rows of methods, curves over steps, names of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metabin.report.style import INK

MAX_POINTS = 120  # more steps than this are averaged in as many equal bins


def rows_figure(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """Return a figure with one row per label, the first one on top."""
    figure = Figure(figsize=(5.9, 0.75 + 0.46 * len(labels)), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), list(labels), color=INK, fontsize=9)
    # Inverted; the first row has room for numbers above its marks.
    axes.set_ylim(len(labels) - 0.4, -0.75)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    return figure, axes


def number_above(axes: Axes, text: str, x: float, y: float, side: str = "center") -> None:
    """Write a number above a mark, on a white plate that covers lines; nothing for NaN."""
    if math.isnan(x):
        return
    axes.annotate(
        text,
        (x, y),
        (0, 6),
        textcoords="offset points",
        ha=side,
        va="bottom",
        color=INK,
        size=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )


def mean_curve(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return mean and standard deviation (0 for one run) over runs at each step.

    Runs of more than MAX_POINTS steps are averaged in bins.

    Args:
        frame: fold, seed, step and the column.

    Returns:
        Indexed by step: mean, std.
    """
    rows = frame[["fold", "seed", "step", column]].dropna()
    steps = rows["step"].astype(float)
    if steps.nunique() > MAX_POINTS:
        edges = np.linspace(steps.min(), steps.max(), MAX_POINTS + 1)
        bins = np.clip(np.digitize(steps, edges) - 1, 0, MAX_POINTS - 1)
        # A bin stands at its middle.
        steps = pd.Series((edges[bins] + edges[bins + 1]) / 2, index=rows.index)
    # First one value per run and bin, so that every run has the same weight.
    runs = rows.assign(step=steps).groupby(["step", "fold", "seed"])[column].mean()
    return runs.groupby("step").agg(["mean", "std"]).fillna({"std": 0.0})


def band(axes: Axes, steps: pd.Index, low: pd.Series, high: pd.Series, color: str) -> None:
    """Fill the area between two curves."""
    axes.fill_between(steps, low, high, color=color, alpha=0.13, lw=0)


def reduce_ticks(axes: Axes) -> None:
    """Limit both axes to about four ticks."""
    axes.locator_params(axis="x", nbins=4)
    axes.locator_params(axis="y", nbins=4)


def name_layers(axes: Axes, layers: Sequence[str], *, centre: float = 0.0) -> None:
    """Write layer names on the y axis, only every n-th if there are too many to read."""
    every = math.ceil(len(layers) / 26)
    heights = [index + centre for index in range(0, len(layers), every)]
    axes.set_yticks(heights, [shorten(layer) for layer in layers[::every]], fontsize=7.5)


def clip(name: str, limit: int = 18) -> str:
    """Return the start of a long domain name."""
    return name if len(name) <= limit else name[: limit - 3] + "..."


def shorten(name: str, limit: int = 26) -> str:
    """Return the end of a long dotted name, the part that differs between layers."""
    return name if len(name) <= limit else "..." + name[-(limit - 3) :]
