"""What a difference between two methods is worth: intervals, tests, and how many runs it would need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE, POWER = 0.95, 0.8
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method less another over `num_units` independent pairs; p values are two-sided."""

    difference: Interval
    std: float  # over units, n - 1
    num_units: int
    wins: int
    losses: int
    sign_p: float
    permutation_p: float

    @property
    def shown(self) -> bool:
        """Whether the whole interval is on one side of 0."""
        return self.difference.low > 0 or self.difference.high < 0


def over_queries(values: np.ndarray, pid: np.ndarray, seed: int = 0) -> Interval:
    """Mean of a value per query, e.g. AP, with a bootstrap interval in which whole identities are drawn.

    Queries of one identity share its looks and its gallery images; drawing them one by one would make intervals too
    short. For a paired difference give the differences of two methods on the same queries.

    Shapes: values, pid (Q,). Raises: ValueError: fewer than two identities.
    """
    _, identity = np.unique(pid, return_inverse=True)
    sums, counts = np.bincount(identity, values), np.bincount(identity)
    if len(sums) < 2:
        raise ValueError(f"{len(sums)} identities; an interval over identities needs two or more")
    found = stats.bootstrap(
        (sums, counts),
        lambda drawn, number, axis=-1: drawn.sum(axis) / number.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(sums.sum() / counts.sum()), float(found.low), float(found.high))


def compare(differences: np.ndarray) -> Comparison:
    """The mean of paired differences with a t interval, a sign test and a test by exchanging signs.

    Args:
        differences: (n,), n >= 2, one for each independent unit: average the seeds of one fold first, which share data.
    """
    differences = np.asarray(differences, np.float64)
    if len(differences) < 2:
        raise ValueError(f"{len(differences)} paired differences; a comparison needs two or more independent ones")
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * stats.sem(differences)
    mean = float(differences.mean())
    exchanged = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=10_000, rng=np.random.default_rng(0)
    )
    return Comparison(
        Interval(mean, float(mean - half), float(mean + half)),
        std=float(differences.std(ddof=1)),
        num_units=len(differences),
        wins=wins,
        losses=losses,
        sign_p=float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
        permutation_p=float(exchanged.pvalue),
    )


def units_needed(difference: float, std: float) -> int:
    """Pairs that a t test at 5 % needs to show a true difference in 8 of 10 cases; `std` is that of the differences."""
    if not std:
        return 2
    count = 2
    while _power(difference / std, count) < POWER:
        count += max(1, count // 100)
    return count


def verdict(name: str, other: str, found: Comparison) -> str:
    """One line that claims no more than was shown."""
    mean, low, high = (
        f"{value:+.1f}" for value in (found.difference.mean, found.difference.low, found.difference.high)
    )
    numbers = f"{mean} points [{low}, {high}], {found.wins} to {found.losses} of {found.num_units}"
    if not found.shown:
        return f"no difference shown between {name} and {other}: {numbers}"
    return f"{name} is {'above' if found.difference.mean > 0 else 'below'} {other}: {numbers}"


def _power(effect: float, count: int) -> float:
    """Of a two-sided one-sample t test; effect in standard deviations."""
    limit = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    shift = abs(effect) * np.sqrt(count)
    return float(stats.nct.sf(limit, count - 1, shift) + stats.nct.cdf(-limit, count - 1, shift))
