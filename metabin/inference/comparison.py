"""Comparison of two models on the same queries, with an interval over identities."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from metabin.errors import ConfigError
from metabin.inference.evaluation import Evaluation
from metabin.results.statistics import Interval, over_queries

ALL = "all"  # name of the mean over data sets
QUERY = ["test_domain", "trial", "pid", "query"]


def compare_evaluations(first: Evaluation, second: Evaluation) -> pd.DataFrame:
    """Compare model A and model B on the same queries.

    Returns:
        One row per data set, and one for their mean if there are several: test_domain, role_a,
        role_b, num_ids, num_query (of all random splits), mAP_a, mAP_b, difference (A - B), low
        and high (its 95 % interval; NaN if a data set has fewer than two identities), better ("A"
        or "B" if the interval excludes 0, else ""). Scores are fractions. The interval resamples
        identities within each data set, see `metabin.results.statistics.over_queries`.

    Raises:
        ConfigError: The evaluations have different queries.
    """
    # The query is the row of an image in its data set, so the same in both evaluations.
    pairs = first.queries.merge(second.queries, on=QUERY, suffixes=("_a", "_b"))
    if not len(pairs) == len(first.queries) == len(second.queries):
        raise ConfigError(
            f"the models were evaluated on {len(first.queries):,} and {len(second.queries):,} "
            f"queries, of which {len(pairs):,} are the same; evaluate both on the same test"
        )
    roles = [evaluation.scores.set_index("test_domain")["role"] for evaluation in (first, second)]
    rows = [
        {"test_domain": name, "role_a": roles[0][name], "role_b": roles[1][name], **_row(group)}
        for name, group in pairs.groupby("test_domain", sort=False)
    ]
    if len(rows) > 1:
        rows.append({"test_domain": ALL, "role_a": "", "role_b": "", **_row(pairs)})
    return pd.DataFrame(rows)


def fairness_remarks(comparison: pd.DataFrame) -> list[str]:
    """Return a sentence for each data set that one of two compared models has seen."""
    remarks = []
    for row in comparison[comparison["role_a"] != comparison["role_b"]].to_dict("records"):
        seen = "A" if row["role_a"] == "seen" else "B"
        remarks.append(
            f"{row['test_domain']}: model {seen} trained on this data set and the other model did "
            "not, so the difference is not one of the methods"
        )
    return remarks


def _row(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return the comparison on the queries of one or several data sets."""
    weights = _weights(pairs)
    means = {name: float((pairs[name] * weights).sum()) for name in ("AP_a", "AP_b")}
    differences = pairs["AP_a"] - pairs["AP_b"]
    num_ids = pairs.groupby("test_domain")["pid"].nunique()
    interval = Interval(math.nan, math.nan, math.nan)
    if num_ids.min() > 1:
        interval = over_queries(
            differences.to_numpy(),
            pairs["pid"].to_numpy(),
            pairs["test_domain"].to_numpy(str),
            weights.to_numpy(),
        )
    return {
        "num_ids": int(num_ids.sum()),
        "num_query": len(pairs),
        "mAP_a": means["AP_a"],
        "mAP_b": means["AP_b"],
        "difference": means["AP_a"] - means["AP_b"],
        "low": interval.low,
        "high": interval.high,
        "better": "A" if interval.low > 0 else "B" if interval.high < 0 else "",
    }


def _weights(pairs: pd.DataFrame) -> pd.Series:
    """Return the weight of each query: data sets count equally, and so do their random splits.

    A query of data set d and split t has the weight 1 / (data sets * splits(d) * queries(d, t)).
    The weights sum to 1.
    """
    num_domains = pairs["test_domain"].nunique()
    num_trials = pairs.groupby("test_domain")["trial"].transform("nunique")
    num_query = pairs.groupby(["test_domain", "trial"])["query"].transform("size")
    return 1 / (num_domains * num_trials * num_query)
