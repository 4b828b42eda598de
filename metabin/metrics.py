"""Retrieval metrics by the Market-1501 rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from metabin.types import RetrievalScores

BLOCK = 1 << 25  # distances that are in memory at once: 134 MB in float32
CHUNK = 4096  # rows whose squares are
Multiply = Callable[[np.ndarray], np.ndarray]
_NONE = np.empty(0, np.int64)


def cosine_distance(query: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """1 - cosine, (Q, D) and (G, D) -> (Q, G) in [0, 2]; a zero vector is at distance 1 from everything."""
    query, gallery = _unit_rows(query), _unit_rows(gallery)
    return 1 - query @ gallery.T


def cosine_blocks(query: np.ndarray, gallery: np.ndarray, multiply: Multiply | None = None) -> Iterator[np.ndarray]:
    """The rows of `cosine_distance`, some queries at a time: the whole matrix of MSMT17 would take 4 GB.

    Args:
        multiply: gives rows @ gallery.T of some rows; numpy's product if there is none.
    """
    multiply = multiply or (lambda rows: rows @ gallery.T)
    scale = -1 / _lengths(gallery)  # of columns: unit rows of the gallery would be a second copy of it
    for rows in row_blocks(len(query), len(gallery)):
        distance = multiply(_unit_rows(query[rows]))
        distance *= scale
        distance += 1
        yield distance


def row_blocks(num_query: int, num_gallery: int) -> Iterator[slice]:
    """Slices of the queries, so many at a time that their distances stay below `BLOCK` numbers."""
    step = max(1, BLOCK // max(num_gallery, 1))
    return (slice(start, min(start + step, num_query)) for start in range(0, num_query, step))


def score(
    distance: ArrayLike,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_camid: ArrayLike,
    gallery_camid: ArrayLike,
    ranks: Sequence[int] = (1, 5, 10),
) -> RetrievalScores:
    """CMC, mAP, mINP, and the average precision of every query.

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
    columns = [np.asarray(column) for column in (query_pid, gallery_pid, query_camid, gallery_camid)]
    _check(distance, *columns)
    return score_blocks([distance], *columns, ranks=ranks)


def score_blocks(
    blocks: Iterable[np.ndarray],
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
    ranks: Sequence[int] = (1, 5, 10),
) -> RetrievalScores:
    """`score`, with the rows of the distance matrix some queries at a time, (B, G)."""
    first, precision, inverse_penalty = [], {}, []
    for query, found in enumerate(ranks_of_matches(blocks, query_pid, gallery_pid, query_camid, gallery_camid)):
        if found.size:
            first.append(found[0])
            precision[query] = average_precision(found)
            inverse_penalty.append(found.size / found[-1])
    if not first:
        return RetrievalScores(np.nan, np.nan, dict.fromkeys(ranks, np.nan), 0)
    cmc = {k: float(np.mean(np.asarray(first) <= k)) for k in ranks}
    m_ap = float(np.mean(list(precision.values())))
    return RetrievalScores(m_ap, float(np.mean(inverse_penalty)), cmc, len(first), precision)


def average_precision(ranks: np.ndarray) -> float:
    """(1/m) sum_j j / r_j of the ascending 1-based ranks of m matches."""
    return float(np.mean(np.arange(1, ranks.size + 1) / ranks))


def ranks_of_matches(
    blocks: Iterable[np.ndarray],
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> Iterator[np.ndarray]:
    """For one query after the other the 1-based ranks of its matches, ascending, (m,) int64; m = 0 if it has none.

    Args:
        blocks: the rows of the distance matrix, some queries at a time, (B, G).
    """
    from metabin.ranking import count_nearer

    images = _rows_by_pid(gallery_pid)
    first = 0
    for block in blocks:
        queries = range(first, first + len(block))
        same_pid = [images.get(int(query_pid[query]), _NONE) for query in queries]
        same_camera = [gallery_camid[found] == query_camid[q] for found, q in zip(same_pid, queries, strict=True)]
        matches, match_ends = _joined([found[~same] for found, same in zip(same_pid, same_camera, strict=True)])
        left_out, left_out_ends = _joined([found[same] for found, same in zip(same_pid, same_camera, strict=True)])
        ranks = np.empty(len(matches), np.int64)
        num_bad = count_nearer(np.ascontiguousarray(block), matches, match_ends, left_out, left_out_ends, ranks)
        if num_bad:
            raise ValueError(f"{num_bad} of {block.size} distances are not numbers; look at the embeddings first")
        yield from np.split(ranks, match_ends[:-1])
        first += len(block)


def ranking(distance: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Gallery indices nearest first, without those left out; ties in gallery order."""
    order = np.argsort(distance, kind="stable")
    return order[~left_out[order]]


def _joined(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All parts in one, and where each ends."""
    return np.concatenate(parts), np.cumsum([len(part) for part in parts])


def _rows_by_pid(gallery_pid: np.ndarray) -> dict[int, np.ndarray]:
    """Per identity the gallery's rows that show it, ascending."""
    order = np.argsort(gallery_pid, kind="stable")
    pids, starts = np.unique(gallery_pid[order], return_index=True)
    return dict(zip(pids.tolist(), np.split(order, starts[1:]), strict=True))


def _unit_rows(vectors: ArrayLike) -> np.ndarray:
    vectors = np.asarray(vectors)
    return vectors / _lengths(vectors)[:, None]


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Of rows, (N, D) -> (N,), at least 1e-12; squares of all of them at once would be a second copy."""
    parts = [np.linalg.norm(vectors[start : start + CHUNK], axis=1) for start in range(0, len(vectors), CHUNK)]
    return np.maximum(np.concatenate(parts), 1e-12)


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
