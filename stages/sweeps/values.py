"""The values of a parameter that a sweep tries: a range, or choices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

if TYPE_CHECKING:
    from optuna import Trial


class Section(BaseModel):
    """A map of the file; keys that it does not know are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Range(Section):
    """Numbers from low to high: integers if both are.

    Attributes:
        log: whether all orders of magnitude are equally likely.
        step: between neighbouring values; None: 1 of integers, any of others.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low}, which is not below high, {self.high}")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("log needs low above 0, and no step")
        return self

    def as_stored(self, value: Any) -> Any:
        """Return a value as Optuna keeps it; None if it is not in the range."""
        inside = isinstance(value, int | float) and self.low <= value <= self.high
        return value if inside else None

    def suggest(self, trial: Trial, key: str) -> int | float:
        """Return the value that a trial proposes."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            step = int(self.step or 1)
            return trial.suggest_int(key, self.low, self.high, step=step, log=self.log)
        value = trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)
        return float(f"{value:.3g}")  # to be read and typed


class Choices(Section):
    """Values of any kind."""

    choices: Annotated[list[Any], Field(min_length=2)]

    def as_stored(self, value: Any) -> str | None:
        """Return a value as Optuna keeps it, which has no lists; None if it is no choice."""
        return json.dumps(value) if value in self.choices else None

    def suggest(self, trial: Trial, key: str) -> Any:
        """Return the value that a trial proposes."""
        return json.loads(trial.suggest_categorical(key, list(map(json.dumps, self.choices))))


def _kind(values: Any) -> str:
    return "choices" if isinstance(values, dict) and "choices" in values else "range"


Values = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)
]
