"""Scores by pair of cameras, one row per pair."""

from __future__ import annotations

import pandas as pd

PAIR = ["query_camid", "gallery_camid"]


def pair_means(camera_pairs: pd.DataFrame, cell: tuple[str, str], method: str) -> pd.DataFrame:
    """Return the scores of a method by pair of cameras in one unseen cell, as means over seeds.

    Args:
        camera_pairs: fold, method, seed, test_domain, PAIR, num_query, mAP, rank1.
        cell: fold and test domain.

    Returns:
        Columns PAIR, num_query, mAP, rank1, sorted by PAIR; no rows without scores.
    """
    keys = camera_pairs[["fold", "test_domain", "method"]]
    rows = camera_pairs[(keys == [*cell, method]).all(axis=1)]
    return rows.groupby(PAIR)[["num_query", "mAP", "rank1"]].mean().reset_index()


def cameras_of(pairs: pd.DataFrame) -> list[int]:
    """Return the cameras in the PAIR columns, sorted."""
    return sorted(set(pairs["query_camid"]) | set(pairs["gallery_camid"]))


def camera_matrix(pairs: pd.DataFrame, metric: str = "mAP") -> pd.DataFrame:
    """Return a metric of `pair_means`, query cameras by gallery cameras; NaN without a score."""
    cameras = cameras_of(pairs)
    return pairs.set_index(PAIR)[metric].unstack().reindex(index=cameras, columns=cameras)
