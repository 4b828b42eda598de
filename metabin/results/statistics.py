"""What a difference between two methods is worth: intervals, tests, and how many runs it would need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
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


def over_queries(
    values: np.ndarray,
    pid: np.ndarray,
    domain: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Mean of a value per query, e.g. AP, with a bootstrap interval in which whole identities are drawn.

    Queries of one identity share its looks and its gallery images; drawing them one by one would make intervals too
    short. Identities are drawn within each domain, whose share of the total weight stays what it is. For a paired
    difference give the differences of two methods on the same queries.

    Shapes: values, pid, domain, weight (Q,); one domain and equal weights where they are None.
    Raises: ValueError: a domain with fewer than two identities.
    """
    _, stratum = np.unique(np.zeros(len(values)) if domain is None else domain, return_inverse=True)
    share = np.full(len(values), 1 / len(values)) if weight is None else weight / weight.sum()
    random = np.random.default_rng(seed)
    mean, drawn = 0.0, np.zeros(RESAMPLES)
    for index in range(stratum.max() + 1):
        mine = stratum == index
        _, identity = np.unique(pid[mine], return_inverse=True)
        sums, shares = np.bincount(identity, (share * values)[mine]), np.bincount(identity, share[mine])
        if len(sums) < 2:
            raise ValueError(f"{len(sums)} identities in a domain; an interval over identities needs two or more")
        people = random.integers(len(sums), size=(RESAMPLES, len(sums)))
        mean += sums.sum()
        drawn += shares.sum() * sums[people].sum(axis=1) / shares[people].sum(axis=1)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(mean), float(low), float(high))


def compare(differences: ArrayLike) -> Comparison:
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


def holm(p: ArrayLike) -> np.ndarray:
    """p values corrected for their number by Holm: the k-th smallest of m times m - k + 1, at least those before."""
    p = np.asarray(p, np.float64)
    order, adjusted = np.argsort(p), np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def smallest_p(num_units: int) -> float:
    """The least that a two-sided test by exchanging signs, or by counting them, can give."""
    return 2 / 2**num_units


def units_needed(difference: float, std: float) -> int:
    """Pairs that a t test at 5 % needs to show a true difference in 8 of 10 cases; `std` is that of the differences."""
    if not std:
        return 2
    count = 2
    while _power(difference / std, count) < POWER:
        count += max(1, count // 100)
    return count


def _power(effect: float, count: int) -> float:
    """Of a two-sided one-sample t test; effect in standard deviations."""
    limit = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    shift = abs(effect) * np.sqrt(count)
    return float(stats.nct.sf(limit, count - 1, shift) + stats.nct.cdf(-limit, count - 1, shift))
