"""What a run shows: differences between methods with what they are worth, and what the scores vary with.

All differences are of unseen mAP, as fractions, and paired: the same fold, test domain and seed. Test domains and seeds
of one fold share data, so they are averaged, and the folds are the independent units.
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
from metabin.results.statistics import Comparison, Interval, compare, holm, over_queries, units_needed

OPPONENTS = (("bin_joint",), ("bin_fixed",), ("bn", "in"))
LEVELS = ["fold", "seed", "test_domain", "trial", "query"]  # a mean over each of these within those before it
POINT = 0.01
NO_VARIANTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Pair:
    """A method, and the one that it is compared with: of several, in each fold the better one."""

    method: str
    opponents: tuple[str, ...]

    @property
    def key(self) -> str:
        """For metrics files: "metabin_less_bin_joint", "metabin_less_max_bn_in"."""
        return (
            f"{self.method}_less_{'_'.join(self.opponents if len(self.opponents) == 1 else ('max', *self.opponents))}"
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run says of one pair. `difference` is the mean over folds of the means over test domains and seeds.

    `unit` is what `over_units` counts as independent: "fold", or "seed" in a run with one fold, whose seeds say how far
    the luck of a training goes but nothing of other places. None: too few units, or too few identities.
    """

    pair: Pair
    unit: str
    difference: float
    over_units: Comparison | None
    over_queries: Interval | None
    holm_p: float = math.nan  # of the permutation test, corrected for the number of pairs

    @property
    def shown(self) -> bool:
        """Whether the t interval over folds is on one side of 0."""
        return self.unit == "fold" and self.over_units is not None and self.over_units.shown

    @property
    def units_for_a_point(self) -> int | None:
        """Units that a true difference of one point would need, if differences spread as they do here."""
        return units_needed(POINT, self.over_units.std) if self.over_units else None


def pairs_of(methods: Sequence[str], bases: Mapping[str, str] = NO_VARIANTS) -> tuple[Pair, ...]:
    """Each method that is no baseline (meta-learned, or a variant) with each of OPPONENTS that was run; where none was,
    with every baseline. What is no variant of a baseline meets these variants as well.

    Args:
        bases: of a variant, the method that it is a variant of.
    """
    others = [name for name in methods if name in BASELINES]
    rivals = [name for name in methods if bases.get(name) in BASELINES]
    groups = [tuple(name for name in group if name in others) for group in OPPONENTS]
    opponents = [group for group in groups if group] or [(name,) for name in others]
    return tuple(
        Pair(name, group)
        for name in methods
        if name not in BASELINES
        for group in (*opponents, *((rival,) for rival in rivals if name not in rivals))
    )


def weigh(
    scores: pd.DataFrame, queries: pd.DataFrame, methods: Sequence[str], bases: Mapping[str, str] = NO_VARIANTS
) -> tuple[Evidence, ...]:
    """The evidence for every pair of the trained methods that was tested together.

    Args:
        scores: fold, method, seed, test_domain, role, mAP.
        queries: fold, method, seed, test_domain, trial, pid, query, AP of unseen tests; may be empty.
        bases: of a variant, the method that it is a variant of.
    """
    unseen = scores[scores["role"] == "unseen"]
    wide = unseen.pivot(index=["fold", "test_domain", "seed"], columns="method", values="mAP")
    unit = "fold" if unseen["fold"].nunique() > 1 else "seed"
    precision = _precision(queries)
    found = [
        _evidence(pair, rows, unit, precision)
        for pair in pairs_of(methods, bases)
        if len(rows := differences(wide, pair))
    ]
    corrected = iter(holm([one.over_units.permutation_p for one in found if one.over_units]))
    return tuple(replace(one, holm_p=float(next(corrected))) if one.over_units else one for one in found)


def differences(wide: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """The method less its opponent for every fold and seed that have both, mean over the fold's test domains.

    A seed that lacks one of a fold's test domains is left out, as another set of domains would move the mean. Of
    several opponents a fold has the one with the highest mean over its test domains and seeds.

    Args:
        wide: (fold, test_domain, seed) by methods, unseen mAP.
    Returns: indexed by (fold, seed): difference, opponent (its name).
    """
    names = list(pair.opponents)
    by_seed = wide.reindex(columns=[pair.method, *names]).dropna().groupby(["fold", "seed"])
    count = by_seed.size()
    whole = by_seed.mean()[count == count.groupby("fold").transform("max")]
    if whole.empty:
        return pd.DataFrame(columns=["difference", "opponent"])
    best = whole[names].groupby("fold").mean().idxmax(axis=1)
    opponent = best.reindex(whole.index.get_level_values("fold")).to_numpy()
    return pd.DataFrame({"difference": whole[pair.method] - _picked(whole[names], opponent), "opponent": opponent})


def spreads(scores: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """What unseen mAP varies with, each kept apart: standard deviations (n - 1), NaN where there is one only.

    Returns:
        A row a method: mean; seeds: of the mean over unseen cells; folds: of the means over test domains and seeds;
        splits: over the random splits of one test domain, root mean square over domains, folds and seeds.
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


def summary(found: Sequence[Evidence]) -> Mapping[str, Mapping[str, float]]:
    """{pair: {difference, and low and high of the interval over units if there is one}}, rounded to 6 digits."""
    return {
        one.pair.key: {
            name: round(value, 6) for name, value in (("difference", one.difference), *_ends(one.over_units))
        }
        for one in found
    }


def _evidence(pair: Pair, rows: pd.DataFrame, unit: str, precision: pd.DataFrame | None) -> Evidence:
    folds = rows["difference"].groupby("fold").mean()
    units = folds if unit == "fold" else rows["difference"]
    return Evidence(
        pair,
        unit,
        float(folds.mean()),
        compare(units.to_numpy()) if len(units) > 1 else None,
        None if precision is None else _over_queries(precision, pair, rows["opponent"]),
    )


def _precision(queries: pd.DataFrame) -> pd.DataFrame | None:
    """(LEVELS, pid) by methods."""
    if queries.empty:
        return None
    return queries.pivot(index=[*LEVELS, "pid"], columns="method", values="AP")


def _over_queries(precision: pd.DataFrame, pair: Pair, opponents: pd.Series) -> Interval | None:
    """The difference over the same folds and seeds, with an interval by drawing identities within each test domain."""
    names = list(pair.opponents)
    both = precision.reindex(columns=[pair.method, *names]).dropna().reset_index()
    both = both.join(opponents, on=["fold", "seed"], how="inner")
    if both.empty or both.groupby("test_domain")["pid"].nunique().min() < 2:
        return None
    values = both[pair.method] - _picked(both[names], both["opponent"])
    return over_queries(
        values.to_numpy(), both["pid"].to_numpy(), both["test_domain"].to_numpy(), _weights(both).to_numpy()
    )


def _weights(rows: pd.DataFrame) -> pd.Series:
    """Of a query in the mean over folds of the means over seeds of the means over test domains and so on."""
    weight = pd.Series(1 / rows["fold"].nunique(), index=rows.index)
    for depth in range(1, len(LEVELS)):
        weight /= rows.groupby(LEVELS[:depth])[LEVELS[depth]].transform("nunique")
    return weight


def _picked(frame: pd.DataFrame, names: Any) -> np.ndarray:
    """From each row the column of that name."""
    return frame.to_numpy()[np.arange(len(frame)), frame.columns.get_indexer(names)]


def _ends(found: Comparison | None) -> tuple[tuple[str, float], ...]:
    return (("low", found.difference.low), ("high", found.difference.high)) if found else ()
