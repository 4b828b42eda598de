"""Tables and numbers as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, num_names: int = 1) -> str:
    """Return a table as lines of text, with columns of equal width.

    Args:
        header: Names of the columns.
        rows: One text per column each.
        num_names: First columns, which hold names: aligned left. The others are aligned right.
    """
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    texts = []
    for line in lines:
        cells = [
            cell.ljust(width) if column < num_names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        texts.append("  ".join(cells).rstrip())
    return "\n".join(texts)


def percent(fraction: float) -> str:
    """Return a fraction in percent with one decimal: 0.4125 -> "41.2"; NaN -> "-"."""
    return "-" if math.isnan(fraction) else f"{100 * fraction:.1f}"


def points(fraction: float) -> str:
    """Return a difference of fractions in percentage points, with its sign: 0.012 -> "+1.2"."""
    text = f"{100 * fraction:+.1f}"
    return text[1:] if float(text) == 0 else text  # a rounded zero has no sign
