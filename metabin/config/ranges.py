"""The types of the numbers in params.yaml, with ranges.

A range refuses mistyped values before a run, where they would fill the disk, exhaust the memory or
crash. It is no advice: a hundred times the published value of every key is inside.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

from pydantic import Field

LARGEST = 1e4  # of rates, factors and weights; the largest published one is 36
MOST_PIXELS = 10**8  # of one image; Pillow warns of larger ones
MOST_IMAGES = 10**5  # of one batch

Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
# Below 1e-12, a step no longer changes a float32 weight.
Rate = Annotated[float, Field(ge=1e-12, le=LARGEST)]
RateOrZero = Annotated[float, Field(ge=0, le=LARGEST)]
Factor = Rate
FactorOrZero = RateOrZero
Weight = RateOrZero  # of a loss
Margin = RateOrZero
Decay = Annotated[float, Field(ge=0, le=100)]
# Below 0.5, the true class has the largest target for any number of classes.
Smoothing = Annotated[float, Field(ge=0, lt=0.5)]

# Steps, epochs, images and identities.
Whole = Annotated[int, Field(ge=0, le=10**8)]
Count = Annotated[int, Field(ge=1, le=10**8)]
# A triplet needs a negative (another identity) and a positive (another image).
NumIdentities = Annotated[int, Field(ge=2, le=10**8)]
NumPerBatch = Annotated[int, Field(ge=2, le=10_000)]
NumAttributes = Annotated[int, Field(ge=1, le=100)]  # of an identity of the benchmark

# What a computer, a network or a disk has.
NumBaseSteps = Annotated[int, Field(ge=1, le=10_000)]
NumDomains = Annotated[int, Field(ge=1, le=10_000)]
NumNodes = Annotated[int, Field(ge=1, le=10_000)]
NumProcesses = Annotated[int, Field(ge=1, le=1024)]  # PyTorch dies of a million threads
NumCandidates = Annotated[int, Field(ge=1, le=1000)]  # each is a copy of the weights

# Pixels. At 16x8, a backbone of stride 8 ends with maps of 2x1; a JPEG has at most 65,535.
Height = Annotated[int, Field(ge=16, le=65_535)]
Width = Annotated[int, Field(ge=8, le=65_535)]
Padding = Annotated[int, Field(ge=0, le=65_535)]

# Every reader of JSON keeps integers up to here.
Seed = Annotated[int, Field(ge=0, le=2**53)]


def all_finite(value: Any) -> bool:
    """Return whether no number in nested maps and lists is infinite or NaN."""
    if isinstance(value, dict):
        return all(map(all_finite, value.values()))
    if isinstance(value, list):
        return all(map(all_finite, value))
    return not isinstance(value, float) or isfinite(value)
