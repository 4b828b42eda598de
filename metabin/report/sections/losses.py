"""Section "Losses and learning rates": curves over training steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metabin.report.charts import slug
from metabin.report.display import runs_word
from metabin.report.inputs import RUN_KEYS, ReportInputs
from metabin.report.plots import band, mean_curve, reduce_ticks
from metabin.report.section import Chart, ChartGrid, Paragraph, Section
from metabin.report.style import styles_for

LOSS_TITLES = {
    "base/ce": "Base step: cross-entropy",
    "base/triplet": "Base step: triplet",
    "base/total": "Base step: sum",
    "meta_train/scatter": "Meta-train: scatter",
    "meta_train/shuffle": "Meta-train: shuffle",
    "meta_train/triplet": "Meta-train: triplet",
    "meta_test/triplet": "Meta-test: triplet",
    "lr/base": "Learning rate of the weights",
    "lr/inner": "Step size of the inner update",
}


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without records of losses."""
    columns = loss_columns(inputs.losses)
    if not columns:
        return None
    explanation = (
        f"Mean over {runs_word(inputs)}; the band is one standard deviation over them. A chart has "
        "the methods that use its loss."
    )
    charts = [
        Chart(
            f"curve_{slug(column)}",
            f"{LOSS_TITLES.get(column, column)} over training steps, a line for each method "
            f"(column {column} of losses.csv).",
            partial(loss_figure, inputs, column),
        )
        for column in columns
    ]
    parts = (Paragraph(explanation), ChartGrid(charts))
    return Section("Losses and learning rates", "losses", "Losses", parts, in_text=False)


def loss_columns(losses: pd.DataFrame) -> list[str]:
    """Return the columns with at least one number, without the keys, in their order."""
    return [name for name in losses.columns if name not in RUN_KEYS and losses[name].notna().any()]


def loss_figure(inputs: ReportInputs, column: str) -> Figure:
    """Draw one loss or step size over steps: a line per method, a band of one std over runs."""
    styles = styles_for(inputs.rows)
    figure = Figure(figsize=(3.25, 2.2), layout="constrained")
    axes = figure.subplots()
    ends: list[tuple[str, float, str]] = []
    for method in inputs.trained:
        curve = mean_curve(inputs.losses[inputs.losses["method"] == method], column)
        if curve.empty:
            continue
        style = styles[method]
        low = curve["mean"] - curve["std"]
        high = curve["mean"] + curve["std"]
        band(axes, curve.index, low, high, style.color)
        axes.plot(curve.index, curve["mean"], color=style.color)
        ends.append((style.short or style.label, float(curve["mean"].iloc[-1]), style.color))
    axes.set_title(LOSS_TITLES.get(column, column))
    axes.set_xlabel("step")
    axes.margins(x=0)
    reduce_ticks(axes)
    _label_ends(axes, ends)
    return figure


def spread_labels(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions at least `gap` apart inside [low, high], moved as little as needed.

    Their order stays the same.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    result = [0.0] * len(positions)
    # First pass, upwards: at least `gap` above the one below.
    floor = low
    for index in order:
        result[index] = max(positions[index], floor)
        floor = result[index] + gap
    # Second pass, downwards from the top, for those that the first one pushed out.
    ceiling = high
    for index in reversed(order):
        result[index] = min(result[index], ceiling)
        ceiling = result[index] - gap
    return result


def _label_ends(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write the names of curves at their ends: (label, last value, colour)."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    heights = [(value - low) / (high - low) for _, value, _ in ends]  # as parts of the axis
    spread = spread_labels(heights, 0.105, 0.02, 0.98)
    for (label, _, color), height in zip(ends, spread, strict=True):
        axes.annotate(
            label,
            (1, height),
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=color,
            fontsize=7.5,
            weight="bold",
        )
