"""The interval of a single score: unseen mAP over people."""

from __future__ import annotations

import pandas as pd

from metabin.results.statistics import Interval, over_queries


def interval_over_people(queries: pd.DataFrame) -> Interval | None:
    """Return the mAP of one unseen data set and method with its interval over people.

    Args:
        queries: seed, trial, pid, query, AP.

    Returns:
        None with fewer than two people.
    """
    if queries["pid"].nunique() < 2:
        return None
    # Mean over queries, then over trials, then over seeds: 1 / (trials(s) * queries(s, t)).
    num_trials = queries.groupby("seed")["trial"].transform("nunique")
    num_queries = queries.groupby(["seed", "trial"])["AP"].transform("size")
    weight = 1 / (num_trials * num_queries)
    return over_queries(
        queries["AP"].to_numpy(), queries["pid"].to_numpy(), weight=weight.to_numpy()
    )
