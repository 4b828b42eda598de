"""Dot charts: unseen beside seen for each method, and paired differences."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metabin.report.display import percent, points
from metabin.report.inputs import ReportInputs
from metabin.report.sections.comparisons import pair_label
from metabin.report.style import INK, styles_for
from metabin.results import tables


def unseen_and_seen(inputs: ReportInputs) -> Figure:
    """A row a method: mean mAP unseen (filled) and, if any, seen (hollow); under it the unseen cells one by one."""
    rows, styles = inputs.rows, styles_for(inputs.rows)
    unseen = tables.method_means(inputs.scores, "unseen", "mAP", rows)["mean"]
    seen = tables.method_means(inputs.scores, "seen", "mAP", rows)["mean"]
    cells = tables.unseen_by_cell(inputs.scores, "mAP", rows, inputs.unseen)
    figure, axes = _rows_figure([styles[name].label for name in rows])
    for index, name in enumerate(rows):
        left, right = 100 * unseen[name], 100 * seen[name]
        color, marker = styles[name].color, styles[name].marker
        axes.plot([left, right], [index, index], color=color, lw=1.2, alpha=0.5, zorder=1)
        if len(inputs.unseen) > 1:
            axes.scatter(100 * cells.loc[name], [index + 0.27] * len(inputs.unseen), s=9, color=color, lw=0, alpha=0.6)
        axes.scatter([left], [index], s=64, color=color, marker=marker, zorder=3)
        axes.scatter([right], [index], s=58, facecolor="white", edgecolor=color, lw=1.6, marker=marker, zorder=3)
        roles = ("unseen ", "seen ") if index == 0 else ("", "")
        sides = ("right", "left") if abs(right - left) < 2.5 else ("center", "center")
        _number_above(axes, roles[0] + percent(unseen[name]), left, index, sides[0])
        _number_above(axes, roles[1] + percent(seen[name]), right, index, sides[1])
    axes.set_xlim(left=0)
    axes.set_xlabel("mAP, %")
    return figure


def paired_differences(inputs: ReportInputs) -> Figure | None:
    """A row a method: a dot each unseen cell, a tick at their mean; None without the reference method."""
    if tables.REFERENCE_METHOD not in inputs.trained or len(inputs.trained) < 2:
        return None
    differences = 100 * tables.paired_differences(inputs.scores, inputs.trained, inputs.unseen)
    styles = styles_for(inputs.rows)
    figure, axes = _rows_figure([styles[name].label for name in differences.index])
    axes.axvline(0, color=INK, lw=1, zorder=1)
    for index, name in enumerate(differences.index):
        values, style = differences.loc[name], styles[name]
        axes.scatter(values, [index] * len(values), s=34, color=style.color, alpha=0.55, lw=0, zorder=2)
        if values.notna().any():
            mean = float(values.mean())
            axes.plot([mean, mean], [index - 0.24, index + 0.24], color=style.color, lw=2.6, zorder=3)
            _number_above(axes, points(mean / 100), mean, index - 0.22)
    reach = float(np.nanmax(np.abs(differences.to_numpy()), initial=1.0)) * 1.1
    axes.set_xlim(-reach, reach)
    reference = styles[tables.REFERENCE_METHOD].label
    axes.set_xlabel(f"unseen mAP less that of {reference}, points")
    return figure


def differences_with_intervals(inputs: ReportInputs) -> Figure:
    """A row a pair: a dot at the mean difference, its t interval as a thick line, that over queries as a thin one."""
    found, styles = inputs.evidence, styles_for(inputs.rows)
    figure, axes = _rows_figure([pair_label(inputs, one.pair) for one in found])
    axes.axvline(0, color=INK, lw=1, zorder=1)
    for index, one in enumerate(found):
        style, mean = styles[one.pair.method], 100 * one.difference
        if one.over_units:
            ends = 100 * one.over_units.difference.low, 100 * one.over_units.difference.high
            axes.plot(ends, [index, index], color=style.color, lw=5, alpha=0.4, solid_capstyle="butt")
        if one.over_queries:
            ends = 100 * one.over_queries.low, 100 * one.over_queries.high
            axes.plot(ends, [index + 0.24, index + 0.24], color=style.color, lw=1.2, marker="|", ms=5)
        axes.scatter([mean], [index], s=48, color=style.color, marker=style.marker, zorder=3)
        _number_above(axes, points(one.difference), mean, index - 0.08)
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -1), max(right, 1))
    axes.set_xlabel("difference of unseen mAP, points")
    return figure


def _rows_figure(labels: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.9, 0.75 + 0.46 * len(labels)), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), list(labels), color=INK, fontsize=9)
    axes.set_ylim(len(labels) - 0.4, -0.75)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    return figure, axes


def _number_above(axes: Axes, text: str, x: float, y: float, side: str = "center") -> None:
    """A number over a mark, on a white plate so that no line runs through it; nothing for NaN."""
    if math.isnan(x):
        return
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    axes.annotate(text, (x, y), (0, 6), textcoords="offset points", ha=side, va="bottom", color=INK, size=8, bbox=plate)
