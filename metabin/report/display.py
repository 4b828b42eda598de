"""Numbers as they are shown: percent, one decimal, a dash for what was not evaluated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from metabin.protocol import tables
from metabin.report.inputs import ReportInputs
from metabin.report.style import styles_for

DASH = "\u2013"
MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number as shown: its text, its spread over seeds, whether it stands out, a footnote."""

    text: str
    spread: str = ""
    bold: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. `method` picks the colour ("" for none); a baseline is set apart."""

    label: str
    cells: tuple[Cell, ...]
    method: str = ""
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table under two rows of heads: `groups` (head, number of columns), then `columns`."""

    corner: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def percent(value: float) -> str:
    """0.4125 -> "41.2"; NaN -> a dash."""
    return DASH if math.isnan(value) else f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference in percentage points, with its sign: 0.012 -> "+1.2"; NaN -> a dash."""
    if math.isnan(value):
        return DASH
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def headline(inputs: ReportInputs) -> Table:
    """Methods by: unseen mAP, rank-1, mINP and seen mAP as means; unseen mAP for each held-out domain."""
    num = len(inputs.domains)
    columns = [
        _mean_column(inputs, "unseen", "mAP", num),
        _mean_column(inputs, "unseen", "rank1", num),
        _mean_column(inputs, "unseen", "mINP", num),
        _mean_column(inputs, "seen", "mAP", num * (num - 1)),
    ]
    values = tables.unseen_by_domain(inputs.scores, "mAP", inputs.rows, inputs.domains)
    spreads = tables.unseen_by_domain(inputs.scores, "mAP", inputs.rows, inputs.domains, statistic="std")
    columns += [_column(values[name], spreads[name], inputs.trained) for name in inputs.domains]
    return Table(
        corner="Method",
        groups=(("Unseen, mean", 3), ("Seen, mean", 1), ("Unseen mAP with this domain held out", num)),
        columns=("mAP", "rank-1", "mINP", "mAP", *inputs.domains),
        rows=_rows(inputs, inputs.rows, columns),
    )


def paired(inputs: ReportInputs) -> Table | None:
    """Unseen mAP less that of the reference, a held-out domain a column; None without the reference."""
    if tables.REFERENCE_METHOD not in inputs.trained:
        return None
    differences = tables.paired_differences(inputs.scores, inputs.trained, inputs.domains)
    methods = list(differences.index)
    columns = [[Cell(points(value)) for value in differences[name]] for name in inputs.domains]
    spreads = tables.paired_spread(inputs.scores, methods)
    means = differences.mean(axis=1)
    columns.append([Cell(points(means[name]), _spread(spreads[name])) for name in methods])
    present, higher = differences.notna().sum(axis=1), (differences > 0).sum(axis=1)
    columns.append([Cell(f"{higher[name]} of {present[name]}" if present[name] else DASH) for name in methods])
    label = styles_for(inputs.rows)[tables.REFERENCE_METHOD].label
    return Table(
        corner="Method",
        groups=((f"Unseen mAP less that of {label}, points", len(columns)),),
        columns=(*inputs.domains, "mean", "higher in"),
        rows=_rows(inputs, methods, columns),
    )


def held_out_table(inputs: ReportInputs, method: str) -> Table:
    """One method, a held-out domain a row: unseen mAP, rank-1, mINP; mean seen mAP, rank-1."""
    wanted = (("unseen", "mAP"), ("unseen", "rank1"), ("unseen", "mINP"), ("seen", "mAP"), ("seen", "rank1"))
    columns = [tables.by_held_out(inputs.scores, method, role, metric, inputs.domains) for role, metric in wanted]
    rows = tuple(Row(domain, tuple(Cell(percent(column[domain])) for column in columns)) for domain in inputs.domains)
    return Table(
        corner="Held out",
        groups=(("Unseen", 3), ("Seen, mean", 2)),
        columns=("mAP", "rank-1", "mINP", "mAP", "rank-1"),
        rows=rows,
    )


def matrix_table(inputs: ReportInputs, method: str) -> Table:
    """One method, held-out domains by test domains: mAP, rank-1 under it; the unseen diagonal in bold."""
    values = tables.matrix(inputs.scores, method, "mAP", inputs.domains)
    ranks = tables.matrix(inputs.scores, method, "rank1", inputs.domains)
    columns = [
        [
            Cell(percent(value), percent(rank), bold=held_out == test)
            for held_out, value, rank in zip(inputs.domains, values[test], ranks[test], strict=True)
        ]
        for test in inputs.domains
    ]
    return Table(
        corner="Held out",
        groups=(("Tested on: mAP, rank-1 under it", len(inputs.domains)),),
        columns=inputs.domains,
        rows=tuple(
            Row(held_out, tuple(column[index] for column in columns)) for index, held_out in enumerate(inputs.domains)
        ),
    )


def noise_warning(num_seeds: int) -> str:
    """What a reader may not conclude from this many seeds."""
    if num_seeds <= 1:
        return "With one seed, differences under a few points are noise; no verdict is claimed."
    warning = "differences within the spread over seeds are noise; no verdict is claimed."
    return f"Means over {num_seeds} seeds; {warning}"


def _mean_column(inputs: ReportInputs, role: str, metric: str, expected: int) -> list[Cell]:
    """Cells of a mean; one over fewer cells than expected says so and is no candidate for the best."""
    means = tables.method_means(inputs.scores, role, metric, inputs.rows)
    whole = [name for name in inputs.trained if means.loc[name, "num_cells"] == expected]
    best = tables.best_methods(means["mean"], whole)
    return [
        Cell(
            text=percent(row["mean"]),
            spread=_spread(row["std"]),
            bold=name in best,
            note=f"{int(row['num_cells'])} of {expected}" if 0 < row["num_cells"] < expected else "",
        )
        for name, row in means.iterrows()
    ]


def _column(values: pd.Series, spreads: pd.Series, candidates: Sequence[str]) -> list[Cell]:
    best = tables.best_methods(values, candidates)
    cells = zip(values.index, values, spreads, strict=True)
    return [Cell(percent(value), _spread(spread), bold=name in best) for name, value, spread in cells]


def _rows(inputs: ReportInputs, methods: Sequence[str], columns: Sequence[Sequence[Cell]]) -> tuple[Row, ...]:
    styles = styles_for(inputs.rows)
    return tuple(
        Row(styles[name].label, tuple(column[index] for column in columns), name, name not in inputs.trained)
        for index, name in enumerate(methods)
    )


def _spread(std: float) -> str:
    return "" if math.isnan(std) else f"\u00b1 {100 * std:.1f}"
