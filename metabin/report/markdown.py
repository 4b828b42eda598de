"""The report for a terminal."""

from collections.abc import Sequence

from metabin.report import display
from metabin.report.display import Cell, Table
from metabin.report.inputs import ReportInputs
from metabin.report.sections import comparisons, overlap, published, rho_probe, selection
from metabin.report.style import styles_for

TO_ASCII = str.maketrans({display.DASH: "-", display.MINUS: "-", "\u00b1": "+-"})


def report_text(inputs: ReportInputs) -> str:
    """Headline, pairs, published results, near-duplicates and matrices as markdown; how to open the page."""
    parts = [f"# {_plain(inputs.title)}", "The full report: open `index.html`, beside this file, in a browser."]
    if inputs.note:
        parts.append(_plain(inputs.note))
    parts += ["## Results, percent", markdown_table(display.headline(inputs))]
    paired = display.paired(inputs)
    if paired is not None:
        parts += [f"## {paired.groups[0][0]}", markdown_table(paired)]
    parts += _worth(inputs) or ([display.noise_warning(inputs.num_seeds)] if paired is not None else [])
    chosen = selection.table(inputs)
    if chosen is not None:
        parts += [
            f"## {selection.TITLE}, unseen mAP, percent",
            markdown_table(chosen),
            _plain(selection.explanation(inputs)),
        ]
    against = published.table(inputs)
    if against is not None:
        parts += [
            "## Against published results, percent: mAP (rank-1)",
            markdown_table(against, paired=True),
            _plain(published.caveats(inputs)),
            "\n".join(f"- {_plain(name)}: {_plain(text)}" for name, text in published.methods(inputs).items()),
        ]
    parts += _explained(inputs) + _shared(inputs)
    if inputs.has_matrix:
        parts += _matrices(inputs)
    return "\n\n".join(parts) + "\n"


def _worth(inputs: ReportInputs) -> list[str]:
    found = comparisons.block(inputs)
    if found is None:
        return []
    parts = [
        f"## {comparisons.TITLE}",
        "\n".join(f"- {_plain(line)}" for line in found.verdicts),
        markdown_table(found.table),
        *map(_plain, (found.explanation, *found.remarks)),
    ]
    if found.spreads:
        parts += [f"### {comparisons.SPREADS_TITLE}, percent", markdown_table(found.spreads)]
    return [part.translate(TO_ASCII) for part in parts]


def _explained(inputs: ReportInputs) -> list[str]:
    found = rho_probe.block(inputs)
    if found is None:
        return []
    parts = [f"## {rho_probe.TITLE}", _plain(found.explanation)]
    for label, table in found.forced:
        parts += [f"### {_plain(label)}: change of mAP with rho forced in some layers, points", markdown_table(table)]
    if found.preferences:
        parts += ["### The shift of all rho that each test domain likes best", markdown_table(found.preferences)]
    return [*parts, _plain(found.depth)] if found.depth else parts


def _shared(inputs: ReportInputs) -> list[str]:
    if not overlap.found(inputs):
        return [line for line in (overlap.checked(inputs), *map(_plain, overlap.remarks(inputs))) if line]
    scores = overlap.scores_table(inputs)
    return [
        f"## {overlap.TITLE}",
        markdown_table(overlap.pairs_table(inputs)),
        *map(_plain, overlap.remarks(inputs)),
        *([f"{overlap.EXPLANATION} Percent.", markdown_table(scores)] if scores else []),
    ]


def _matrices(inputs: ReportInputs) -> list[str]:
    rows, cells = ("held-out domain", "cell") if inputs.named_by_target else ("fold", "cells")
    parts = [f"## mAP (rank-1), {rows} by test domain; the unseen {cells} in bold"]
    styles = styles_for(inputs.rows)
    for method in inputs.rows:
        parts += [
            f"### {_plain(styles[method].label)}",
            markdown_table(display.matrix_table(inputs, method), paired=True),
        ]
    return parts


def markdown_table(table: Table, *, paired: bool = False) -> str:
    """Aligned so that it reads well as plain text. With `paired`, a cell's second number stands in brackets."""
    heads = [table.corner, *_flat_heads(table)]
    body = [[_plain(row.label), *(_cell_text(cell, paired) for cell in row.cells)] for row in table.rows]
    widths = [max(len(line[index]) for line in [heads, *body]) for index in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in [heads, rule, *body])


def _flat_heads(table: Table) -> list[str]:
    """One row of heads from two: a mean is "unseen mAP", a single domain keeps its name."""
    words = [group[0].lower() + group.split(",")[0][1:] if ", mean" in group else "" for group, _ in table.groups]
    roles = [word for word, (_, size) in zip(words, table.groups, strict=True) for _ in range(size)]
    return [_plain(f"{role} {name}".strip()) for role, name in zip(roles, table.columns, strict=True)]


def _cell_text(cell: Cell, paired: bool) -> str:
    second = (f" ({cell.spread})" if paired else f" {cell.spread}") if cell.spread else ""
    note = f" [{cell.note}]" if cell.note else ""
    text = (cell.text + second + note).translate(TO_ASCII)
    return f"**{text}**" if cell.bold else text


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([first, *rest]) + " |"


def _plain(text: str) -> str:
    """One line that cannot end a table cell or start markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
