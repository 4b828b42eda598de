"""A line of a table of this package."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A value that was measured, or computed from measured ones."""

    what: str
    value: float
    unit: str = ""
    is_computed: bool = False


def computed(what: str, value: float, unit: str = "") -> Line:
    """Return the line of a computed value."""
    return Line(what, value, unit, is_computed=True)
