"""Numbers as they are displayed, and tables of them: percent, one decimal, a dash for NaN."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from metabin.report.inputs import ReportInputs
from metabin.report.style import MethodStyle, styles_for
from metabin.results import tables
from metabin.results.statistics import Interval

DASH = "\u2013"
MINUS = "\u2212"
PLUS_MINUS = "\u00b1"


@dataclass(frozen=True, slots=True)
class Cell:
    """One displayed number.

    Args:
        text: the number.
        spread: its spread over seeds.
        second: a second number, e.g. rank-1 with mAP.
        bold: whether it stands out.
        note: a short remark.
    """

    text: str
    spread: str = ""
    second: str = ""
    bold: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. `method` adds its colour ("" for none); `is_minor` makes it grey."""

    label: str
    cells: tuple[Cell, ...]
    method: str = ""
    is_minor: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with two rows of headings: `groups` (heading, number of columns) and `columns`."""

    corner: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def percent(value: float) -> str:
    """Return a fraction in percent: 0.4125 -> "41.2"; NaN -> a dash."""
    return DASH if math.isnan(value) else f"{100 * value:.1f}"


def points(value: float) -> str:
    """Return a difference in percentage points, with its sign: 0.012 -> "+1.2"; NaN -> a dash."""
    if math.isnan(value):
        return DASH
    text = f"{100 * value:+.1f}"
    # A rounded zero has no sign.
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def points_interval(interval: Interval | None) -> str:
    """Return the ends of an interval in percentage points: "[+0.3, +2.3]"; None -> a dash."""
    return f"[{points(interval.low)}, {points(interval.high)}]" if interval else DASH


def opponents_label(styles: Mapping[str, MethodStyle], opponents: Sequence[str]) -> str:
    """Return the name of what a method is compared with: "BIN joint", or "max(BN, IN)"."""
    labels = [styles[name].label for name in opponents]
    return labels[0] if len(labels) == 1 else f"max({', '.join(labels)})"


def signed(value: float) -> str:
    """Return a number with its sign and two decimals: 0.3 -> "+0.30"; 0 -> "0"; NaN -> a dash."""
    if math.isnan(value):
        return DASH
    return f"{value:+.2f}".replace("-", MINUS) if value else "0"


def spread_text(std: float) -> str:
    """Return a standard deviation with its sign: 0.012 -> "\u00b1 1.2"; NaN -> ""."""
    return "" if math.isnan(std) else f"{PLUS_MINUS} {100 * std:.1f}"


def fold_word(inputs: ReportInputs) -> str:
    """Return the name for a row of a matrix: "held out", or "fold" if folds have other names."""
    return "held out" if inputs.named_by_target else "fold"


def runs_word(inputs: ReportInputs) -> str:
    """Return the name for the trainings that a mean is over."""
    return "held-out domains and seeds" if inputs.named_by_target else "folds and seeds"


def cell_names(cells: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return names for (fold, test domain): the domain, with its fold if several folds have it."""
    count = Counter(domain for _, domain in cells)
    return tuple(domain if count[domain] == 1 else f"{domain} ({fold})" for fold, domain in cells)


def unseen_columns(inputs: ReportInputs) -> dict[str, list[tuple[str, str]]]:
    """Return {heading: unseen cells of that column}.

    Every cell has its own column. In a large run the columns are `ReportInputs.column_groups`.
    """
    if inputs.is_large:
        return {name: list(cells) for name, cells in inputs.column_groups.items()}
    names = cell_names(inputs.unseen)
    return {name: [cell] for name, cell in zip(names, inputs.unseen, strict=True)}


def mean_column(inputs: ReportInputs, role: str, metric: str) -> list[Cell]:
    """Return one mean per method of `inputs.rows`.

    A mean over fewer cells than the run has is marked with their number and is never bold.
    """
    num_cells = len(tables.cells_of(inputs.scores, role, inputs.folds, inputs.domains))
    means = tables.method_means(inputs.scores, role, metric, inputs.rows)
    # Means over other sets of cells cannot be compared.
    complete = [name for name in inputs.trained if means.loc[name, "num_cells"] == num_cells]
    best = tables.best_methods(means["mean"], complete)
    cells = []
    for name, row in means.iterrows():
        is_partial = 0 < row["num_cells"] < num_cells
        note = f"{int(row['num_cells'])} of {num_cells}" if is_partial else ""
        spread = spread_text(row["std"])
        cells.append(Cell(percent(row["mean"]), spread, bold=name in best, note=note))
    return cells


def value_column(values: pd.Series, spreads: pd.Series, candidates: Sequence[str]) -> list[Cell]:
    """Return one value per method; the best of the candidates are bold."""
    best = tables.best_methods(values, candidates)
    return [
        Cell(percent(value), spread_text(spread), bold=name in best)
        for name, value, spread in zip(values.index, values, spreads, strict=True)
    ]


def method_rows(
    inputs: ReportInputs, methods: Sequence[str], columns: Sequence[Sequence[Cell]]
) -> tuple[Row, ...]:
    """Return one row per method from columns of cells."""
    styles = styles_for(inputs.rows)
    return tuple(
        Row(
            styles[name].label,
            tuple(column[index] for column in columns),
            method=name,
            is_minor=name not in inputs.trained,
        )
        for index, name in enumerate(methods)
    )
