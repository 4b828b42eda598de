"""Pieces of markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


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


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
