"""Section "mAP by fold and test domain": one matrix per method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from metabin.report.charts import slug
from metabin.report.display import Cell, Row, Table, cell_names, fold_word, percent
from metabin.report.inputs import ReportInputs
from metabin.report.plots import clip
from metabin.report.section import (
    CaptionedChart,
    Chart,
    DataTable,
    Details,
    Heading,
    Paragraph,
    Part,
    Section,
)
from metabin.report.style import INK, MISSING, MUTED, SEQUENTIAL, UNTRAINED, styles_for
from metabin.results import tables
from metabin.results.intervals import interval_over_people

# Part of the colour scale in use: text stays readable on its darkest colour (contrast > 4.5).
LIGHT_PART = 0.6
LONG_NAME = 8  # characters that fit above one cell; longer names are slanted


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None if a matrix would have one cell or too many."""
    if not inputs.has_matrix:
        return None
    styles = styles_for(inputs.rows)
    parts: list[Part] = [Paragraph(explanation(inputs))]
    for name in inputs.trained:
        parts += method_parts(inputs, name)
    untrained = [name for name in inputs.rows if name in UNTRAINED]
    if untrained:
        labels = ", ".join(styles[name].label for name in untrained)
        folded = [part for name in untrained for part in method_parts(inputs, name)]
        parts.append(Details(f"Without training: {labels}", folded))
    fold = "held-out domain" if inputs.named_by_target else "fold"
    return Section(f"mAP by {fold} and test domain", "matrices", "mAP by domain", parts)


def explanation(inputs: ReportInputs) -> str:
    """Return the meaning of rows, columns, outlines and colours."""
    fold = "a fold, one choice of source domains and of held-out domains"
    if inputs.named_by_target:
        fold = "the held-out domain of one training run"
    numbers = ", means over seeds" if inputs.num_seeds > 1 else ""
    sentences = [
        f"mAP and rank-1, percent{numbers}. A row is {fold}; a column is the test domain.",
        "Unseen cells are outlined or bold.",
    ]
    if not inputs.queries.empty:
        sentences.append(
            "Below an unseen mAP in a table by held-out domain: its 95 % interval, which resamples "
            "the people tested, not the trainings."
        )
    if inputs.has_seen:
        sentences.append(
            "The other cells of a row are its sources, with the smaller galleries of held-out "
            "identities."
        )
    sentences.append("All methods share one colour scale.")
    return " ".join(sentences)


def method_parts(inputs: ReportInputs, method: str) -> list[Part]:
    """Return heading, chart and tables of one method."""
    label = styles_for(inputs.rows)[method].label
    rows = "held-out" if inputs.named_by_target else "fold"
    chart = Chart(
        f"matrix_{slug(method)}",
        f"{label}: mAP, {rows} by test domain; numbers in the table below.",
        partial(matrix_figure, inputs, method),
    )
    held_out = DataTable(held_out_table(inputs, method), f"{label} by held-out domain")
    cells = DataTable(matrix_table(inputs, method), f"{label}, all cells")
    return [
        Heading(label, method),
        CaptionedChart(chart, [held_out], layout="table"),
        Details(f"All cells of {label} as a table", [cells], is_minor=True),
    ]


def held_out_table(inputs: ReportInputs, method: str) -> Table:
    """Return held-out domains by unseen mAP with its interval, rank-1 and mINP of one method.

    If there are seen scores, also mean seen mAP and rank-1 of the domain's fold.
    """
    columns = [
        tables.unseen_by_cell(inputs.scores, metric, [method], inputs.unseen).T[method]
        for metric in ("mAP", "rank1", "mINP")
    ]
    groups = [("Unseen", 3)]
    heads = ["mAP", "rank-1", "mINP"]
    if inputs.has_seen:
        folds = [fold for fold, _ in inputs.unseen]
        for metric in ("mAP", "rank1"):
            columns.append(tables.seen_by_fold(inputs.scores, method, metric, folds))
        title = "Seen, mean" if inputs.named_by_target else "Seen, mean of its fold"
        groups.append((title, 2))
        heads += ["mAP", "rank-1"]
    rows = []
    for index, name in enumerate(cell_names(inputs.unseen)):
        mAP, *others = (percent(column.iloc[index]) for column in columns)  # noqa: N806
        interval = interval_text(inputs, method, inputs.unseen[index])
        rows.append(Row(name, (Cell(mAP, second=interval), *map(Cell, others))))
    return Table(corner="Held out", groups=tuple(groups), columns=tuple(heads), rows=tuple(rows))


def interval_text(inputs: ReportInputs, method: str, cell: tuple[str, str]) -> str:
    """Return the 95 % interval of an unseen mAP over people; "" without one."""
    if inputs.queries.empty:
        return ""
    keys = inputs.queries[["fold", "test_domain", "method"]]
    interval = interval_over_people(inputs.queries[(keys == [*cell, method]).all(axis=1)])
    return f"{percent(interval.low)} to {percent(interval.high)}" if interval else ""


def matrix_table(inputs: ReportInputs, method: str) -> Table:
    """Return folds by test domains of one method: mAP and rank-1; the unseen cells in bold."""
    values = tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested)
    ranks = tables.matrix(inputs.scores, method, "rank1", inputs.folds, inputs.tested)
    rows = []
    for index, fold in enumerate(inputs.folds):
        cells = [
            Cell(
                percent(values[domain].iloc[index]),
                second=percent(ranks[domain].iloc[index]),
                bold=(fold, domain) in inputs.unseen,
            )
            for domain in inputs.tested
        ]
        rows.append(Row(fold, tuple(cells)))
    return Table(
        corner=fold_word(inputs).capitalize(),
        groups=(("Test domain: mAP, rank-1", len(inputs.tested)),),
        columns=inputs.tested,
        rows=tuple(rows),
    )


def highest_color(inputs: ReportInputs) -> float:
    """Return the top of the colour scale of all matrices: the highest mAP, rounded up to 0.1."""
    matrices = [
        tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested)
        for method in inputs.rows
    ]
    values = np.concatenate([cells.to_numpy(dtype=float).ravel() for cells in matrices])
    highest = float(np.nanmax(values, initial=0.0))
    return min(1.0, max(0.1, math.ceil(highest * 10 - 1e-9) / 10))


def matrix_figure(inputs: ReportInputs, method: str) -> Figure:
    """Draw mAP in percent, folds by test domains; unseen cells are outlined."""
    matrix = tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested)
    values = matrix.to_numpy(dtype=float)
    folds = [clip(name) for name in inputs.folds]
    domains = [clip(name) for name in inputs.tested]
    margin = min(1.5, 0.075 * max(map(len, folds)))  # inches, for the names of rows
    size = (0.75 + margin + 0.6 * len(domains), 0.85 + 0.45 * len(folds))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    _paint(axes, values, highest_color(inputs))
    for (row, column), value in np.ndenumerate(values):
        is_unseen = (inputs.folds[row], inputs.tested[column]) in inputs.unseen
        axes.text(
            column,
            row,
            percent(value),
            ha="center",
            va="center",
            color=MUTED if math.isnan(value) else INK,
            weight="bold" if is_unseen else "normal",
            size=9.5,
        )
    for fold, domain in inputs.unseen:
        corner = (inputs.tested.index(domain) - 0.46, inputs.folds.index(fold) - 0.45)
        # A white line below the dark one separates it from dark cells.
        for color, width in (("white", 4.5), (INK, 2.0)):
            axes.add_patch(Rectangle(corner, 0.92, 0.9, fill=False, edgecolor=color, lw=width))
    _name_axes(axes, folds, domains)
    axes.set_ylabel(fold_word(inputs))
    return figure


def _paint(axes: Axes, values: np.ndarray, top: float) -> None:
    colors = SEQUENTIAL.with_extremes(bad=MISSING)
    axes.imshow(
        np.ma.masked_invalid(values), cmap=colors, vmin=0, vmax=top / LIGHT_PART, aspect="auto"
    )
    # White lines between cells: a grid at minor ticks on their edges.
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
