"""Retrieval metrics by the Market-1501 rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from metabin.types import RetrievalScores


def cosine_distance(query: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """1 - cosine, (Q, D) and (G, D) -> (Q, G) in [0, 2]; a zero vector is at distance 1 from everything."""
    query, gallery = _unit_rows(query), _unit_rows(gallery)
    return 1 - query @ gallery.T


def score(
    distance: ArrayLike,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_camid: ArrayLike,
    gallery_camid: ArrayLike,
    ranks: Sequence[int] = (1, 5, 10),
) -> RetrievalScores:
    """CMC, mAP and mINP.

    For each query, gallery images of the same pid under the same camera are left out and the others ranked by distance;
    at equal distance the gallery's order decides, so that the scores are a function of the input. With the
    1-based ranks r_1 < ... < r_m of the m matches:

        CMC@k = [r_1 <= k],   AP = (1/m) sum_j j / r_j,   INP = m / r_m

    Queries without a match are left out of the means.

    Args:
        distance: (Q, G). query_pid, query_camid: (Q,). gallery_pid, gallery_camid: (G,). ranks: the k, each >= 1.
    Raises:
        ValueError: lengths that do not fit, or a distance that is not a number.
    Source: Zheng et al. 2015; mINP: Ye et al. 2021.
    """
    distance = np.asarray(distance)
    query_pid, gallery_pid = np.asarray(query_pid), np.asarray(gallery_pid)
    query_camid, gallery_camid = np.asarray(query_camid), np.asarray(gallery_camid)
    _check(distance, query_pid, gallery_pid, query_camid, gallery_camid)
    first, precision, inverse_penalty = [], [], []
    for row, pid, camid in zip(distance, query_pid, query_camid, strict=True):
        same_pid = gallery_pid == pid
        ranks_of_matches = match_ranks(row, same_pid, same_pid & (gallery_camid == camid))
        if ranks_of_matches.size:
            first.append(ranks_of_matches[0])
            precision.append(average_precision(ranks_of_matches))
            inverse_penalty.append(ranks_of_matches.size / ranks_of_matches[-1])
    if not first:
        return RetrievalScores(np.nan, np.nan, dict.fromkeys(ranks, np.nan), 0)
    cmc = {k: float(np.mean(np.asarray(first) <= k)) for k in ranks}
    return RetrievalScores(float(np.mean(precision)), float(np.mean(inverse_penalty)), cmc, len(first))


def average_precision(ranks: np.ndarray) -> float:
    """(1/m) sum_j j / r_j of the ascending 1-based ranks of m matches."""
    return float(np.mean(np.arange(1, ranks.size + 1) / ranks))


def match_ranks(distance: np.ndarray, same_pid: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """The 1-based ranks of one query's matches, ascending; all arguments (G,), returns (m,)."""
    order = ranking(distance, left_out)
    return np.flatnonzero(same_pid[order]) + 1


def ranking(distance: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Gallery indices nearest first, without those left out; ties in gallery order."""
    order = np.argsort(distance, kind="stable")
    return order[~left_out[order]]


def _unit_rows(vectors: ArrayLike) -> np.ndarray:
    vectors = np.asarray(vectors)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _check(
    distance: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> None:
    wanted = (len(query_pid), len(gallery_pid))
    if distance.shape != wanted or (len(query_camid), len(gallery_camid)) != wanted:
        raise ValueError(
            f"distance {distance.shape}, query camids {len(query_camid)} and gallery camids "
            f"{len(gallery_camid)} do not fit {wanted[0]} query and {wanted[1]} gallery pids"
        )
    if np.isnan(distance).any():
        raise ValueError(
            f"{np.isnan(distance).sum()} of {distance.size} distances are not numbers; look at the embeddings first"
        )
