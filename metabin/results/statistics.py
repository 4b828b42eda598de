"""Statistics of paired differences: intervals, tests, and the number of runs that a test needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95
POWER = 0.8
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of two methods over `num_units` independent pairs; p values are two-sided."""

    difference: Interval
    std: float  # over units, n - 1
    num_units: int
    wins: int
    losses: int
    sign_p: float
    permutation_p: float

    @property
    def is_significant(self) -> bool:
        """Return whether the interval excludes 0."""
        return self.difference.low > 0 or self.difference.high < 0


def over_queries(
    values: np.ndarray,
    pid: np.ndarray,
    domain: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Return the mean of a value per query, e.g. AP, with a bootstrap interval over identities.

    Queries of one identity share its appearance and its gallery images. Resampling single queries
    would make intervals too short, so whole identities are resampled, within each domain. The
    share of a domain in the total weight stays constant. For a paired difference pass the
    differences of two methods on the same queries.

    Shapes:
        values, pid, domain, weight: (Q,). Without domain there is one, without weight all are
            equal.

    Raises:
        ValueError: a domain has fewer than two identities.
    """
    domains = np.zeros(len(values)) if domain is None else domain
    _, stratum = np.unique(domains, return_inverse=True)
    share = np.full(len(values), 1 / len(values)) if weight is None else weight / weight.sum()
    random = np.random.default_rng(seed)
    mean = 0.0
    resampled = np.zeros(RESAMPLES)
    for index in range(stratum.max() + 1):
        in_domain = stratum == index
        _, identity = np.unique(pid[in_domain], return_inverse=True)
        # Per identity: sum of weighted values, and sum of weights.
        sums = np.bincount(identity, (share * values)[in_domain])
        shares = np.bincount(identity, share[in_domain])
        if len(sums) < 2:
            raise ValueError(
                f"{len(sums)} identities in a domain; an interval over identities needs two or more"
            )
        people = random.integers(len(sums), size=(RESAMPLES, len(sums)))
        mean += sums.sum()
        # Weighted mean of the resampled identities, times the domain's share of all weight.
        resampled += shares.sum() * sums[people].sum(axis=1) / shares[people].sum(axis=1)
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(mean), float(low), float(high))


def compare(differences: ArrayLike) -> Comparison:
    """Return the mean of paired differences with a t interval, a sign and a permutation test.

    The permutation test exchanges the signs of the differences.

    Args:
        differences: (n,), n >= 2, one per independent unit. Seeds of one fold share data: average
            them first.

    Raises:
        ValueError: fewer than two differences.
    """
    differences = np.asarray(differences, np.float64)
    if len(differences) < 2:
        raise ValueError(
            f"{len(differences)} paired differences; a comparison needs two or more independent "
            "ones"
        )
    wins = int((differences > 0).sum())
    losses = int((differences < 0).sum())
    # Half the t interval: t quantile times standard error of the mean.
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * stats.sem(differences)
    mean = float(differences.mean())
    permutation = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=10_000,
        rng=np.random.default_rng(0),
    )
    return Comparison(
        Interval(mean, float(mean - half), float(mean + half)),
        std=float(differences.std(ddof=1)),
        num_units=len(differences),
        wins=wins,
        losses=losses,
        sign_p=float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
        permutation_p=float(permutation.pvalue),
    )


def holm(p: ArrayLike) -> np.ndarray:
    """Return p values corrected for their number with Holm's method.

    The k-th smallest of m values (k from 1) becomes (m - k + 1) p, at least the value before it, at
    most 1.

    Shapes:
        p: (m,) -> (m,), in the order of `p`.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def smallest_p(num_units: int) -> float:
    """Return the smallest p that a two-sided sign or permutation test of signs can give."""
    return 2 / 2**num_units


def units_needed(difference: float, std: float) -> int:
    """Return the number of pairs with which a t test at 5 % has a power of 0.8.

    Args:
        difference: the true difference.
        std: standard deviation of the differences over pairs.
    """
    if not std:
        return 2
    count = 2
    while _power(difference / std, count) < POWER:
        count += max(1, count // 100)
    return count


def _power(effect: float, count: int) -> float:
    """Return the power of a two-sided one-sample t test; `effect` is in standard deviations."""
    limit = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    # With a true effect, t has a noncentral distribution with this noncentrality.
    shift = abs(effect) * np.sqrt(count)
    # The far side is below 1e-14 where SciPy has no number for it.
    far = np.nan_to_num(stats.nct.cdf(-limit, count - 1, shift))
    return float(stats.nct.sf(limit, count - 1, shift) + far)
