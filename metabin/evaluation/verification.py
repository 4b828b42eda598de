"""Verification: deciding for a pair of images whether both show the same person.

A pair is accepted if its distance is below a threshold. A positive is a query and a gallery image
of the same person under different cameras, a negative a pair of different people. Pairs of the same
person under the same camera count as neither, as in the ranking. FPR is the fraction of negatives
that are accepted, TPR the fraction of positives.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from metabin.evaluation.scoring import distance_blocks
from metabin.types import Embeddings

# Column -> N, where the FPR is 1 / N. Whole numbers: 1e-3 * 3000 is less than 3 in binary.
RATES = {"tpr_1e-4": 10_000, "tpr_1e-3": 1_000, "tpr_1e-2": 100}


def verification_scores(
    query: Embeddings, gallery: Embeddings, device: torch.device | None = None
) -> dict[str, float]:
    """Compute `true_positive_rates` by cosine distance.

    Args:
        device: computes the product of the embeddings; numpy does if it is None or the CPU.
    """
    blocks = distance_blocks(query, gallery, device)
    return true_positive_rates(blocks, query.pid, gallery.pid, query.camid, gallery.camid)


def true_positive_rates(
    blocks: Iterable[np.ndarray],
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> dict[str, float]:
    """Return the number of pairs, and the TPR at each FPR of `RATES`.

    The threshold is the highest one at which the FPR is at most 1 / N. Pairs of equal distance are
    accepted or rejected together. Positives and the nearest hundredth of the negatives are in
    memory at once.

    Args:
        blocks: the rows of the distance matrix, some queries at a time, each (B, G), without NaN.

    Returns:
        num_positives, num_negatives and the columns of `RATES`: NaN without a positive, or with
        fewer than N negatives, where one false positive would exceed the FPR.
    """
    num_negatives = count_negatives(query_pid, gallery_pid)
    positives, nearest = _select_distances(
        blocks,
        (query_pid, gallery_pid, query_camid, gallery_camid),
        num_negatives // min(RATES.values()) + 1,
    )
    rates = {name: _rate(positives, nearest, num_negatives // n) for name, n in RATES.items()}
    return {"num_positives": len(positives), "num_negatives": num_negatives, **rates}


def count_negatives(query_pid: np.ndarray, gallery_pid: np.ndarray) -> int:
    """Return the number of pairs of different people."""
    pids, counts = np.unique(gallery_pid, return_counts=True)
    same = dict(zip(pids.tolist(), counts.tolist(), strict=True))
    return len(query_pid) * len(gallery_pid) - sum(same.get(pid, 0) for pid in query_pid.tolist())


def _select_distances(
    blocks: Iterable[np.ndarray], ids: tuple[np.ndarray, ...], num_nearest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of all positives, and of the nearest negatives, ascending."""
    query_pid, gallery_pid, query_camid, gallery_camid = ids
    positives = [np.empty(0, np.float32)]
    nearest = np.empty(0, np.float32)
    limit = np.inf
    first = 0
    for block in blocks:
        rows = slice(first, first + len(block))
        first = rows.stop
        is_same = query_pid[rows, None] == gallery_pid
        positives.append(block[is_same & (query_camid[rows, None] != gallery_camid)])
        # Negatives beyond the limit cannot be among the nearest of all.
        nearest = np.concatenate([nearest, block[~is_same & (block <= limit)]])
        if len(nearest) > num_nearest:
            nearest = np.partition(nearest, num_nearest - 1)[:num_nearest]
            limit = nearest.max()
    return np.concatenate(positives), np.sort(nearest)


def _rate(positives: np.ndarray, nearest: np.ndarray, num_permitted: int) -> float:
    """Return the TPR with at most `num_permitted` false positives."""
    if not num_permitted or not len(positives):
        return np.nan
    # Any threshold above this distance accepts one negative too many.
    threshold = nearest[num_permitted]
    return float(np.mean(positives < threshold))
