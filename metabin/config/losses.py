"""Losses in params.yaml: a name and its weight, or a name and its weight with options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator

from metabin.config.ranges import LARGEST, Weight, all_finite
from metabin.registry import EPISODE_LOSSES, LOSSES

Terms = dict[str, Weight | dict[str, Any]]


def _check(terms: Terms, known: Iterable[str]) -> Terms:
    if unknown := [name for name in terms if name not in known]:
        raise ValueError(f"unknown loss {', '.join(unknown)}; known are {', '.join(known)}")
    weights = {name: _weight(name, term) for name, term in terms.items()}
    if not any(weights.values()):
        raise ValueError(
            "every weight is 0, so nothing would be learned; give one of them a weight above 0"
        )
    return terms


def _weight(name: str, term: float | dict[str, Any]) -> float:
    if not isinstance(term, dict):
        return term
    weight = term.get("weight")
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not 0 <= weight <= LARGEST
    ):
        raise ValueError(f"{name}.weight is {weight!r}; expected a number from 0 to {LARGEST:g}")
    if not all_finite(term):
        raise ValueError(f"{name} is {term}; expected finite numbers")
    return weight


# A loss that is not listed has weight 0, so that a new loss changes no parameter file.
BaseLosses = Annotated[Terms, AfterValidator(lambda terms: _check(terms, LOSSES))]
EpisodeLosses = Annotated[Terms, AfterValidator(lambda terms: _check(terms, EPISODE_LOSSES))]
