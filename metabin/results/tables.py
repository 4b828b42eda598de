"""Tables of reported numbers, computed from tidy scores: means, matrices, paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

REFERENCE_METHOD = "bin_joint"
SUMMARY_METRICS = ("mAP", "mINP", "rank1")
CELL = ["fold", "test_domain"]


def cells_of(
    scores: pd.DataFrame, role: str, folds: Sequence[str], domains: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return (fold, test domain) of every cell of a role, ordered by `folds`, then `domains`."""
    rows = scores.loc[scores["role"] == role, CELL]
    cells = set(rows.itertuples(index=False, name=None))
    return tuple((fold, domain) for fold in folds for domain in domains if (fold, domain) in cells)


def method_means(
    scores: pd.DataFrame, role: str, metric: str, methods: Sequence[str]
) -> pd.DataFrame:
    """Return means over the cells of a role, then over seeds.

    A seed that covers fewer cells than the best-covered seed of its method is left out: another
    set of domains would move the mean.

    Returns:
        One row per method: mean, std (over seeds, n - 1; NaN for one seed), num_seeds, num_cells. A
        method without scores has NaN and 0.
    """
    cells = scores[(scores["role"] == role) & scores[metric].notna()]
    per_seed = cells.groupby(["method", "seed"])[metric].agg(["mean", "count"]).reset_index()
    most_cells = per_seed.groupby("method")["count"].transform("max")
    grouped = per_seed[per_seed["count"] == most_cells].groupby("method")
    table = pd.DataFrame(
        {
            "mean": grouped["mean"].mean(),
            "std": grouped["mean"].std(),
            "num_seeds": grouped["mean"].size(),
            "num_cells": grouped["count"].max(),
        }
    ).reindex(list(methods))
    counts = table[["num_seeds", "num_cells"]].fillna(0).astype(int)
    return pd.concat([table[["mean", "std"]], counts], axis=1)


def unseen_by_cell(
    scores: pd.DataFrame,
    metric: str,
    methods: Sequence[str],
    cells: Sequence[tuple[str, str]],
    *,
    statistic: str = "mean",
) -> pd.DataFrame:
    """Return a metric of methods by unseen cells: `statistic` ("mean", "std") over seeds, or NaN.

    A column is a (fold, test domain). A domain that is unseen in two folds has two columns, as the
    sources differ.
    """
    unseen = scores[scores["role"] == "unseen"]
    values = unseen.groupby(["method", *CELL])[metric].agg(statistic).unstack(CELL)
    return values.reindex(index=list(methods), columns=_columns(cells))


def matrix(
    scores: pd.DataFrame, method: str, metric: str, folds: Sequence[str], domains: Sequence[str]
) -> pd.DataFrame:
    """Return a metric of a method, folds by test domains: mean over seeds; NaN if not evaluated."""
    cells = scores[scores["method"] == method]
    values = cells.groupby(CELL)[metric].mean().unstack()
    return values.reindex(index=list(folds), columns=list(domains))


def seen_by_fold(scores: pd.DataFrame, method: str, metric: str, folds: Sequence[str]) -> pd.Series:
    """Return one value per fold: mean over its seen test domains, then over seeds; NaN if none."""
    cells = scores[(scores["method"] == method) & (scores["role"] == "seen")]
    per_seed = cells.groupby(["fold", "seed"])[metric].mean()
    return per_seed.groupby("fold").mean().reindex(list(folds))


def paired_differences(
    scores: pd.DataFrame,
    methods: Sequence[str],
    cells: Sequence[tuple[str, str]],
    *,
    reference: str = REFERENCE_METHOD,
) -> pd.DataFrame:
    """Return the differences of unseen mAP, method - reference, as means over seeds.

    Differences are paired: same fold, test domain and seed.

    Returns:
        Methods (without the reference) by cells; NaN where no seed has both.
    """
    pairs = _pairs(scores, methods, reference)
    return pairs.groupby(level=CELL).mean().T.reindex(columns=_columns(cells))


def paired_spread(
    scores: pd.DataFrame, methods: Sequence[str], *, reference: str = REFERENCE_METHOD
) -> pd.Series:
    """Return the std over seeds of the mean difference over unseen cells; NaN with one seed.

    As in `method_means`, only the seeds that cover the most cells count.
    """
    by_seed = _pairs(scores, methods, reference).groupby(level="seed")
    covered = by_seed.count()
    return by_seed.mean().where(covered == covered.max()).std()


def best_methods(column: pd.Series, candidates: Iterable[str]) -> set[str]:
    """Return the candidates with the highest value; empty if all are NaN.

    Values are compared as displayed, in percent with one decimal, so there can be ties.
    """
    # Rounded first: values that look the same are the same.
    percents = {str(name): round(100 * value, 1) for name, value in column.dropna().items()}
    percents = {name: percents[name] for name in candidates if name in percents}
    top = max(percents.values(), default=math.nan)
    return {name for name, value in percents.items() if value == top}


def summary(scores: pd.DataFrame, methods: Sequence[str]) -> dict[str, Any]:
    """Return {method: {role: {metric: mean}}}, rounded to 6 digits; None if not evaluated."""
    means = {
        (role, metric): method_means(scores, role, metric, methods)["mean"]
        for role in ("unseen", "seen")
        for metric in SUMMARY_METRICS
    }
    return {
        method: {
            role: {metric: _rounded(means[role, metric][method]) for metric in SUMMARY_METRICS}
            for role in ("unseen", "seen")
        }
        for method in methods
    }


def headline(scores: pd.DataFrame, methods: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return {"unseen_mAP" and "seen_mAP": {method: mean}}, the metrics of DVC.

    Without methods that were not evaluated in that role.
    """
    nested = summary(scores, methods)
    values = {
        f"{role}_mAP": {method: nested[method][role]["mAP"] for method in methods}
        for role in ("unseen", "seen")
    }
    return {
        name: {method: value for method, value in by_method.items() if value is not None}
        for name, by_method in values.items()
    }


def tidy_matrix(
    scores: pd.DataFrame, methods: Sequence[str], folds: Sequence[str], domains: Sequence[str]
) -> pd.DataFrame:
    """Return method, held_out (the fold), test_domain, role, mAP, rank1 as means over seeds.

    One row per method, fold and domain. The role is the one that any method has in that cell, and
    NaN in a cell in which no method was tested.
    """
    levels = [list(methods), list(folds), list(domains)]
    index = pd.MultiIndex.from_product(levels, names=["method", *CELL])
    cells = scores.groupby(["method", *CELL])[["mAP", "rank1"]].mean().reindex(index)
    cells = cells.round(6).reset_index()
    roles = scores.drop_duplicates(CELL).set_index(CELL)["role"]
    cells.insert(3, "role", roles.reindex(pd.MultiIndex.from_frame(cells[CELL])).to_numpy())
    return cells.rename(columns={"fold": "held_out"})


def unseen_means(scores: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return method, mAP, mINP, rank1 for `dvc plots`: the unseen means of `summary`."""
    nested = summary(scores, methods)
    return pd.DataFrame([{"method": method, **nested[method]["unseen"]} for method in methods])


def replace_with_scores_without_overlap(
    scores: pd.DataFrame, replacements: pd.DataFrame, cells: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return the scores with those of some cells replaced by their scores without overlap.

    NaN where no test image is left.

    Args:
        replacements: scores without overlap, columns as in `scores`; may be empty.
        cells: (fold, test domain).
    """
    keys = ["method", "seed", *CELL]
    metrics = list(SUMMARY_METRICS)
    is_replaced = pd.MultiIndex.from_frame(scores[CELL]).isin(list(cells))
    index = pd.MultiIndex.from_frame(scores.loc[is_replaced, keys])
    values = replacements.reindex(columns=[*keys, *metrics]).set_index(keys).reindex(index)
    result = scores.copy()
    result.loc[is_replaced, metrics] = values.to_numpy(float)
    return result


def gallery_sizes(scores: pd.DataFrame) -> Mapping[str, str]:
    """Return {role: number of scored identities, as "60" or "60 to 75"}; "" if there is none."""
    sizes = {}
    for role in ("unseen", "seen"):
        ids = scores.loc[(scores["role"] == role) & (scores["num_ids"] > 0), "num_ids"]
        bounds = sorted({int(ids.min()), int(ids.max())}) if len(ids) else []
        sizes[role] = " to ".join(map(str, bounds))
    return sizes


def _pairs(scores: pd.DataFrame, methods: Sequence[str], reference: str) -> pd.DataFrame:
    """Return unseen mAP minus that of the reference, (fold, test domain, seed) by methods."""
    unseen = scores[scores["role"] == "unseen"]
    wide = unseen.pivot(index=[*CELL, "seed"], columns="method", values="mAP")
    others = [method for method in methods if method != reference]
    wide = wide.reindex(columns=[*others, reference])
    return wide[others].sub(wide[reference], axis=0)


def _columns(cells: Sequence[tuple[str, str]]) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(list(cells), names=CELL)


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
