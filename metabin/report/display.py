"""Numbers as they are shown: percent, one decimal, a dash for what was not evaluated."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from metabin.report.inputs import ReportInputs
from metabin.report.style import styles_for
from metabin.results import tables

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


def row_word(inputs: ReportInputs) -> str:
    """What a row of a matrix is: the domain held out, or a fold where folds have names of their own."""
    return "held out" if inputs.named_by_target else "fold"


def cell_names(cells: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """(fold, test domain) as the domain alone; with the fold where several folds have that domain."""
    count = Counter(domain for _, domain in cells)
    return tuple(domain if count[domain] == 1 else f"{domain} ({fold})" for fold, domain in cells)


def unseen_groups(inputs: ReportInputs) -> dict[str, list[tuple[str, str]]]:
    """The unseen cells by the column that shows them: each its own, or where they are many the near and the far places
    together; nothing where there are no far ones.
    """
    if not inputs.is_large:
        return {name: [cell] for name, cell in zip(cell_names(inputs.unseen), inputs.unseen, strict=True)}
    kinds: dict[str, list[tuple[str, str]]] = {"near": [], "far": []}
    for fold, domain in inputs.unseen:
        kinds["far" if domain.endswith("-far") else "near"].append((fold, domain))
    return kinds if all(kinds.values()) else {}


def headline(inputs: ReportInputs) -> Table:
    """Methods by: unseen mAP, rank-1, mINP and, if any, seen mAP as means; unseen mAP by `unseen_groups`."""
    columns = [mean_column(inputs, "unseen", metric) for metric in ("mAP", "rank1", "mINP")]
    groups, heads = [("Unseen, mean", 3)], ["mAP", "rank-1", "mINP"]
    if inputs.has_seen:
        columns.append(mean_column(inputs, "seen", "mAP"))
        groups.append(("Seen, mean", 1))
        heads.append("mAP")
    values = tables.unseen_by_cell(inputs.scores, "mAP", inputs.rows, inputs.unseen)
    spreads = tables.unseen_by_cell(inputs.scores, "mAP", inputs.rows, inputs.unseen, statistic="std")
    shown = unseen_groups(inputs)
    for cells in shown.values():
        spread = spreads[cells].mean(axis=1) if len(cells) == 1 else spreads[cells[0]] * math.nan
        columns.append(value_column(values[cells].mean(axis=1), spread, inputs.trained))
    title = "Unseen mAP, mean over places" if inputs.is_large else "Unseen mAP by held-out domain"
    return Table(
        corner="Method",
        groups=(*groups, *([(title, len(shown))] if shown else [])),
        columns=(*heads, *shown),
        rows=method_rows(inputs, inputs.rows, columns),
    )


def paired(inputs: ReportInputs) -> Table | None:
    """Unseen mAP less that of the reference, by `unseen_groups`; None without the reference."""
    if tables.REFERENCE_METHOD not in inputs.trained:
        return None
    differences = tables.paired_differences(inputs.scores, inputs.trained, inputs.unseen)
    methods = list(differences.index)
    shown = unseen_groups(inputs)
    columns = [[Cell(points(value)) for value in differences[cells].mean(axis=1)] for cells in shown.values()]
    spreads = tables.paired_spread(inputs.scores, methods)
    means = differences.mean(axis=1)
    columns.append([Cell(points(means[name]), spread_text(spreads[name])) for name in methods])
    present, higher = differences.notna().sum(axis=1), (differences > 0).sum(axis=1)
    columns.append([Cell(f"{higher[name]} of {present[name]}" if present[name] else DASH) for name in methods])
    label = styles_for(inputs.rows)[tables.REFERENCE_METHOD].label
    return Table(
        corner="Method",
        groups=((f"Unseen mAP less that of {label}, points", len(columns)),),
        columns=(*shown, "mean", "higher in"),
        rows=method_rows(inputs, methods, columns),
    )


def held_out_table(inputs: ReportInputs, method: str) -> Table:
    """One method, a held-out domain a row: unseen mAP, rank-1, mINP; if any, mean seen mAP, rank-1 of its fold."""
    columns = [
        tables.unseen_by_cell(inputs.scores, metric, [method], inputs.unseen).T[method]
        for metric in ("mAP", "rank1", "mINP")
    ]
    groups, heads = [("Unseen", 3)], ["mAP", "rank-1", "mINP"]
    if inputs.has_seen:
        folds = [fold for fold, _ in inputs.unseen]
        columns += [tables.seen_by_fold(inputs.scores, method, metric, folds) for metric in ("mAP", "rank1")]
        groups.append(("Seen, mean" if inputs.named_by_target else "Seen, mean of its fold", 2))
        heads += ["mAP", "rank-1"]
    return Table(
        corner="Held out",
        groups=tuple(groups),
        columns=tuple(heads),
        rows=tuple(
            Row(name, tuple(Cell(percent(column.iloc[index])) for column in columns))
            for index, name in enumerate(cell_names(inputs.unseen))
        ),
    )


def matrix_table(inputs: ReportInputs, method: str) -> Table:
    """One method, folds by test domains: mAP, rank-1 under it; the unseen cells in bold."""
    values = tables.matrix(inputs.scores, method, "mAP", inputs.folds, inputs.tested)
    ranks = tables.matrix(inputs.scores, method, "rank1", inputs.folds, inputs.tested)
    columns = [
        [
            Cell(percent(value), percent(rank), bold=(fold, test) in inputs.unseen)
            for fold, value, rank in zip(inputs.folds, values[test], ranks[test], strict=True)
        ]
        for test in inputs.tested
    ]
    return Table(
        corner=row_word(inputs).capitalize(),
        groups=(("Tested on: mAP, rank-1 under it", len(inputs.tested)),),
        columns=inputs.tested,
        rows=tuple(Row(fold, tuple(column[index] for column in columns)) for index, fold in enumerate(inputs.folds)),
    )


def noise_warning(num_seeds: int) -> str:
    """What a reader may not conclude from this many seeds."""
    if num_seeds <= 1:
        return "With one seed, differences under a few points are noise; no verdict is claimed."
    warning = "differences within the spread over seeds are noise; no verdict is claimed."
    return f"Means over {num_seeds} seeds; {warning}"


def mean_column(inputs: ReportInputs, role: str, metric: str) -> list[Cell]:
    """Cells of a mean; one over fewer cells than there are says so and is no candidate for the best."""
    expected = len(tables.cells_of(inputs.scores, role, inputs.folds, inputs.domains))
    means = tables.method_means(inputs.scores, role, metric, inputs.rows)
    whole = [name for name in inputs.trained if means.loc[name, "num_cells"] == expected]
    best = tables.best_methods(means["mean"], whole)
    return [
        Cell(
            text=percent(row["mean"]),
            spread=spread_text(row["std"]),
            bold=name in best,
            note=f"{int(row['num_cells'])} of {expected}" if 0 < row["num_cells"] < expected else "",
        )
        for name, row in means.iterrows()
    ]


def value_column(values: pd.Series, spreads: pd.Series, candidates: Sequence[str]) -> list[Cell]:
    """Cells of one value a method; the best of the candidates stand out."""
    best = tables.best_methods(values, candidates)
    cells = zip(values.index, values, spreads, strict=True)
    return [Cell(percent(value), spread_text(spread), bold=name in best) for name, value, spread in cells]


def method_rows(inputs: ReportInputs, methods: Sequence[str], columns: Sequence[Sequence[Cell]]) -> tuple[Row, ...]:
    """A row a method, from the cells of every column."""
    styles = styles_for(inputs.rows)
    return tuple(
        Row(styles[name].label, tuple(column[index] for column in columns), name, name not in inputs.trained)
        for index, name in enumerate(methods)
    )


def spread_text(std: float) -> str:
    """0.012 -> "+- 1.2", with the sign for it; nothing for NaN."""
    return "" if math.isnan(std) else f"\u00b1 {100 * std:.1f}"
