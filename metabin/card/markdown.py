"""Pieces of markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

HTML_START = re.compile(r"<(?=[A-Za-z/!?])")  # a "<" before anything else is text


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table. A column is aligned to the right if its first value is a number."""
    rule = ["--:" if str(cell)[:1].isdigit() else ":--" for cell in rows[0]]
    return "\n".join(_line(cells) for cells in (heads, rule, *rows))


def bullets(items: Iterable[str]) -> str:
    """Return a list with one line per item."""
    return "\n".join(f"- {item}" for item in items)


def percent(fraction: float) -> str:
    """Return a fraction as percent with one decimal; "-" for NaN."""
    return "-" if math.isnan(fraction) else f"{100 * fraction:.1f}"


def plain(text: str) -> str:
    """Return a text on one line, without links, code and HTML that it may contain."""
    line = re.sub(r"([\\`\[\]])", r"\\\1", " ".join(text.split()))
    return HTML_START.sub("&lt;", line)


def code(text: str) -> str:
    """Return a text as a code span on one line, which no backtick in the text ends."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"


def _cell(text: str) -> str:
    """Return a text that neither ends a cell nor starts HTML."""
    return HTML_START.sub("&lt;", text.replace("|", "\\|"))
