"""The rows that parts yield, and their text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a measurement, alone or beside another one.

    Attributes:
        what, value, unit: the measurement.
        against, other: what it is compared with, in the same unit.
        ratio: how many times better the measurement is, or its share of a limit.
        at_most, at_least: the goal, of the ratio if there is one, else of the value.
        is_check: a goal that is not met is a failure of the part, not a slow machine.
    """

    what: str
    value: float
    unit: str = ""
    against: str = ""
    other: float | None = None
    ratio: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    is_check: bool = False

    @property
    def is_met(self) -> bool | None:
        """Return whether the goal is met; None without a goal. NaN meets none."""
        value = self.value if self.ratio is None else self.ratio
        if self.at_most is not None:
            return value <= self.at_most
        if self.at_least is not None:
            return value >= self.at_least
        return None

    @property
    def is_failure(self) -> bool:
        """Return whether this is a check that fails."""
        return self.is_check and self.is_met is False

    @property
    def goal(self) -> str:
        """Return the goal as text, and whether it is met."""
        if self.is_met is None:
            return ""
        bound = f">= {self.at_least:.3g}" if self.at_most is None else f"<= {self.at_most:.3g}"
        return bound if self.is_met else f"{bound}: not met"


def faster(
    what: str, value: float, unit: str, against: str, other: float, at_least: float | None = None
) -> Row:
    """Return a row of two costs. The ratio is how many times smaller the first is."""
    return Row(what, value, unit, against, other, other / value, at_least=at_least)


def share(
    what: str, value: float, unit: str, limit: str, other: float, at_least: float | None = None
) -> Row:
    """Return a row of a speed and its limit. The ratio is the share of the limit."""
    return Row(what, value, unit, limit, other, value / other, at_least=at_least)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| what | measured | against | other | ratio | goal |",
        "| --- | ---: | --- | ---: | ---: | --- |",
    ]
    for row in rows:
        cells = [
            row.what,
            _quantity(row.value, row.unit),
            row.against,
            "" if row.other is None else _quantity(row.other, row.unit),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.goal,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def line(row: Row) -> str:
    """Return a row as one line of the terminal."""
    text = f"{row.what}: {_quantity(row.value, row.unit)}"
    if row.other is not None:
        text += f", {row.against} {_quantity(row.other, row.unit)}"
    elif row.against:
        text += f", {row.against}"
    if row.ratio is not None:
        text += f", ratio {row.ratio:.2f}"
    return f"{text} (goal {row.goal})" if row.goal else text


def _quantity(value: float, unit: str) -> str:
    # Large numbers as they are, small ones with three digits: 121,765; 12.3; 1.2e-10.
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".strip()
