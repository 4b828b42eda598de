"""Comparisons of methods: their differences with intervals and tests, and the spread of scores.

All differences are of unseen mAP, as fractions, and paired: same fold, test domain and seed. Test
domains and seeds of one fold share data. They are averaged, and the folds are the independent
units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from metabin.config.sections import BASELINES
from metabin.results import tables
from metabin.results.statistics import (
    Comparison,
    Interval,
    compare,
    holm,
    over_queries,
    units_needed,
)

OPPONENTS = (("bin_joint",), ("bin_fixed",), ("bn", "in"))
LEVELS = ["fold", "seed", "test_domain", "trial", "query"]  # outermost first: the mean is nested
POINT = 0.01
NO_VARIANTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Pair:
    """A method and its opponents. Of several opponents, the best one of each fold counts."""

    method: str
    opponents: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name in metrics files: "metabin_minus_bin_joint", "metabin_minus_max_bn_in"."""
        names = self.opponents if len(self.opponents) == 1 else ("max", *self.opponents)
        return f"{self.method}_minus_{'_'.join(names)}"


@dataclass(frozen=True, slots=True)
class MethodComparison:
    """The comparison of one pair.

    Args:
        difference: mean over folds of the means over test domains and seeds.
        unit: what `over_units` counts as independent: "fold", or "seed" in a run with one fold.
            Seeds show the variation between trainings and nothing about other domains.
        over_units: None with fewer than two units.
        over_queries: None without queries, or if a test domain has fewer than two identities.
        holm_p: p of the permutation test, corrected for the number of pairs.
    """

    pair: Pair
    unit: str
    difference: float
    over_units: Comparison | None
    over_queries: Interval | None
    holm_p: float = math.nan

    @property
    def is_significant(self) -> bool:
        """Return whether the t interval over folds excludes 0."""
        return (
            self.unit == "fold" and self.over_units is not None and self.over_units.is_significant
        )

    @property
    def units_for_a_point(self) -> int | None:
        """Number of units that a true difference of one point needs, at the spread of this run."""
        return units_needed(POINT, self.over_units.std) if self.over_units else None


def method_pairs(
    methods: Sequence[str], bases: Mapping[str, str] = NO_VARIANTS
) -> tuple[Pair, ...]:
    """Return the pairs to compare.

    Every method that is no baseline (a meta-learned method, or a variant) is compared with each
    group of OPPONENTS that was run, or with every baseline if none of them was run. A method that
    is no variant of a baseline is also compared with every variant of a baseline.

    Args:
        bases: variant -> the method that it is a variant of.
    """
    baselines = [name for name in methods if name in BASELINES]
    variants = [name for name in methods if bases.get(name) in BASELINES]
    groups = [tuple(name for name in group if name in baselines) for group in OPPONENTS]
    opponents = [group for group in groups if group] or [(name,) for name in baselines]
    return tuple(
        Pair(name, group)
        for name in methods
        if name not in BASELINES
        for group in (*opponents, *((variant,) for variant in variants if name not in variants))
    )


def compare_methods(
    scores: pd.DataFrame,
    queries: pd.DataFrame,
    methods: Sequence[str],
    bases: Mapping[str, str] = NO_VARIANTS,
) -> tuple[MethodComparison, ...]:
    """Compare every pair of the trained methods that share at least one test.

    Args:
        scores: fold, method, seed, test_domain, role, mAP.
        queries: fold, method, seed, test_domain, trial, pid, query, AP of unseen tests; may be
            empty.
        bases: variant -> the method that it is a variant of.
    """
    unseen = scores[scores["role"] == "unseen"]
    wide = unseen.pivot(index=["fold", "test_domain", "seed"], columns="method", values="mAP")
    unit = "fold" if unseen["fold"].nunique() > 1 else "seed"
    precision = _precision(queries)
    comparisons = [
        _compare_pair(pair, rows, unit, precision)
        for pair in method_pairs(methods, bases)
        if len(rows := differences(wide, pair))
    ]
    tested = [comparison for comparison in comparisons if comparison.over_units]
    p_values = [item.over_units.permutation_p for item in tested if item.over_units]
    corrected = iter(holm(p_values))
    return tuple(
        replace(comparison, holm_p=float(next(corrected))) if comparison.over_units else comparison
        for comparison in comparisons
    )


def differences(wide: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """Return the method's score minus its opponent's for every fold and seed that have both.

    Scores are means over the fold's test domains. A seed that lacks one of the fold's test domains
    is left out, as another set of domains would move the mean. Of several opponents, a fold has
    the one with the highest mean over its test domains and seeds.

    Args:
        wide: unseen mAP, (fold, test_domain, seed) by methods.

    Returns:
        Indexed by (fold, seed): difference, opponent (its name).
    """
    names = list(pair.opponents)
    by_seed = wide.reindex(columns=[pair.method, *names]).dropna().groupby(["fold", "seed"])
    count = by_seed.size()
    # Seeds with all test domains of their fold.
    complete = by_seed.mean()[count == count.groupby("fold").transform("max")]
    if complete.empty:
        return pd.DataFrame(columns=["difference", "opponent"])
    # The fold's best opponent, chosen over all its seeds: not one opponent per seed.
    best = complete[names].groupby("fold").mean().idxmax(axis=1)
    opponent = best.reindex(complete.index.get_level_values("fold")).to_numpy()
    difference = complete[pair.method] - _pick(complete[names], opponent)
    return pd.DataFrame({"difference": difference, "opponent": opponent})


def spreads(scores: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the standard deviation (n - 1) of unseen mAP for each source of variation.

    Returns:
        One row per method: mean; seeds: of the mean over unseen cells; folds: of the means over
        test domains and seeds; splits: over the random splits of one test domain, as root mean
        square over domains, folds and seeds. NaN where there is only one value.
    """
    unseen = scores[scores["role"] == "unseen"]
    means = tables.method_means(scores, "unseen", "mAP", methods)
    cells = unseen.groupby(["method", *tables.CELL])["mAP"].mean()
    variance = unseen.reindex(columns=["mAP_trial_std"])["mAP_trial_std"].astype(float) ** 2
    return pd.DataFrame(
        {
            "mean": means["mean"],
            "seeds": means["std"],
            "folds": cells.groupby(["method", "fold"]).mean().groupby("method").std(),
            "splits": np.sqrt(variance.groupby(unseen["method"]).mean()),
        }
    ).reindex(list(methods))


def summary(comparisons: Sequence[MethodComparison]) -> Mapping[str, Mapping[str, float]]:
    """Return {key of the pair: {difference, low, high}}, rounded to 6 digits.

    low and high are the ends of the interval over units; they are absent without one.
    """
    result = {}
    for comparison in comparisons:
        values = {"difference": comparison.difference}
        if comparison.over_units:
            values["low"] = comparison.over_units.difference.low
            values["high"] = comparison.over_units.difference.high
        result[comparison.pair.key] = {name: round(value, 6) for name, value in values.items()}
    return result


def _compare_pair(
    pair: Pair, rows: pd.DataFrame, unit: str, precision: pd.DataFrame | None
) -> MethodComparison:
    folds = rows["difference"].groupby("fold").mean()
    units = folds if unit == "fold" else rows["difference"]
    return MethodComparison(
        pair,
        unit,
        float(folds.mean()),
        compare(units.to_numpy()) if len(units) > 1 else None,
        None if precision is None else _over_queries(precision, pair, rows["opponent"]),
    )


def _precision(queries: pd.DataFrame) -> pd.DataFrame | None:
    """Return the average precision of queries, (LEVELS, pid) by methods; None without queries."""
    if queries.empty:
        return None
    return queries.pivot(index=[*LEVELS, "pid"], columns="method", values="AP")


def _over_queries(precision: pd.DataFrame, pair: Pair, opponents: pd.Series) -> Interval | None:
    """Return the difference over the same folds and seeds, with an interval over identities.

    The interval resamples identities within each test domain.
    """
    names = list(pair.opponents)
    rows = precision.reindex(columns=[pair.method, *names]).dropna().reset_index()
    rows = rows.join(opponents, on=["fold", "seed"], how="inner")
    if rows.empty or rows.groupby("test_domain")["pid"].nunique().min() < 2:
        return None
    values = rows[pair.method] - _pick(rows[names], rows["opponent"])
    return over_queries(
        values.to_numpy(),
        rows["pid"].to_numpy(),
        rows["test_domain"].to_numpy(),
        _weights(rows).to_numpy(),
    )


def _weights(rows: pd.DataFrame) -> pd.Series:
    """Return the weight of every query, so that the weighted sum is the nested mean of the run.

    The nested mean is over queries within a trial, then over trials within a test domain, over test
    domains within a seed, over seeds within a fold, and over folds. A query of fold f, seed s, test
    domain d and trial t therefore has the weight

        1 / (folds * seeds(f) * domains(f, s) * trials(f, s, d) * queries(f, s, d, t))

    where each factor counts the members of that group. The weights sum to 1.
    """
    weight = pd.Series(1 / rows["fold"].nunique(), index=rows.index)
    for depth in range(1, len(LEVELS)):
        # Number of distinct members of this level within the group that the levels above define.
        weight /= rows.groupby(LEVELS[:depth])[LEVELS[depth]].transform("nunique")
    return weight


def _pick(frame: pd.DataFrame, names: Any) -> np.ndarray:
    """Return from each row the value in the column that `names` has for it."""
    return frame.to_numpy()[np.arange(len(frame)), frame.columns.get_indexer(names)]
