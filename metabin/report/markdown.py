"""The report as markdown for a terminal: prose, lists and tables, without charts and images."""

from __future__ import annotations

from collections.abc import Sequence

from metabin.report.display import DASH, MINUS, PLUS_MINUS, Cell, Table
from metabin.report.inputs import ReportInputs
from metabin.report.section import (
    Bullets,
    DataTable,
    Details,
    Glossary,
    Heading,
    Paragraph,
    Part,
    Section,
)

TO_ASCII = str.maketrans({DASH: "-", MINUS: "-", PLUS_MINUS: "+-"})


def report_text(inputs: ReportInputs, sections: Sequence[Section]) -> str:
    """Return the title, and the sections that have a text."""
    blocks = [
        f"# {_plain(inputs.title)}",
        "The full report: open `index.html`, beside this file, in a browser.",
    ]
    if inputs.note:
        blocks.append(_plain(inputs.note))
    for section in sections:
        if section.in_text:
            blocks.append(f"## {_plain(section.title)}")
            blocks += _blocks(section.parts)
    return "\n\n".join(blocks) + "\n"


def markdown_table(table: Table) -> str:
    """Return a table that is aligned as plain text. Second numbers are in brackets."""
    heads = [table.corner, *_column_heads(table)]
    body = [[_plain(row.label), *map(_cell_text, row.cells)] for row in table.rows]
    widths = [max(len(line[index]) for line in [heads, *body]) for index in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in [heads, rule, *body])


def _blocks(parts: Sequence[Part]) -> list[str]:
    blocks: list[str] = []
    for part in parts:
        match part:
            case Paragraph():
                blocks.append(_plain(part.text))
            case Heading():
                blocks.append(f"{'#' * part.level} {_plain(part.text)}")
            case Bullets():
                blocks.append("\n".join(f"- {_plain(item)}" for item in part.items))
            case Glossary():
                terms = [f"- {_plain(item.term)}: {_plain(item.text)}" for item in part.terms]
                blocks.append("\n".join(terms))
            case DataTable():
                blocks.append(markdown_table(part.table))
            # Unfolded, without its summary. Charts and images have no text.
            case Details():
                blocks += _blocks(part.parts)
    return blocks


def _column_heads(table: Table) -> list[str]:
    """Return one row of headings from two: a mean is "unseen mAP", other columns keep theirs."""
    words = []
    for group, size in table.groups:
        # "Unseen, mean" becomes "unseen " before the names of its columns.
        role, is_mean, _ = group.partition(", mean")
        words += [f"{role[0].lower()}{role[1:]} " if is_mean else ""] * size
    heads = zip(words, table.columns, strict=True)
    return [_plain(f"{word}{name}") for word, name in heads]


def _cell_text(cell: Cell) -> str:
    text = cell.text
    if cell.second:
        text += f" ({cell.second})"
    if cell.spread:
        text += f" {cell.spread}"
    if cell.note:
        text += f" [{cell.note}]"
    text = text.translate(TO_ASCII)
    return f"**{text}**" if cell.bold else text


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [cells[0].ljust(widths[0])]
    aligned += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join(aligned) + " |"


def _plain(text: str) -> str:
    """Return one line of ASCII signs that cannot end a table cell or start markup."""
    line = " ".join(text.split()).translate(TO_ASCII)
    return line.replace("|", "\\|").replace("<", "&lt;")
