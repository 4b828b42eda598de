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

    Queries without a match are left out of the means. Where no query has one, or there is no query or no gallery
    image, every mean is NaN and `num_query` is 0.

    Args:
        distance: (Q, G). query_pid, query_camid: (Q,). gallery_pid, gallery_camid: (G,). An id is a whole number
            or text, of the same kind in query and gallery. ranks: the k, whole numbers >= 1.
    Raises:
        ValueError: shapes that do not fit, ids of another kind or of both kinds, a rank below 1, or a distance that
            is not a number.
    Source: Zheng et al. 2015; mINP: Ye et al. 2021.
    """
    if wrong := [rank for rank in ranks if int(rank) != rank or rank < 1]:
        raise ValueError(f"ranks has {wrong[0]}; expected whole numbers from 1, as (1, 5, 10)")
    pids = _ids("pid", query_pid, gallery_pid)
    camids = _ids("camid", query_camid, gallery_camid)
    return score_blocks([_distances(distance, pids, camids)], *pids, *camids, ranks=ranks)


def score_blocks(
    blocks: Iterable[np.ndarray],
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
    ranks: Sequence[int] = (1, 5, 10),
) -> RetrievalScores:
    """`score`, with the rows of the distance matrix some queries at a time, (B, G), and without its checks."""
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
    from metabin.evaluation.match_ranks import count_nearer

    images, pids = _rows_by_pid(gallery_pid), query_pid.tolist()
    first = 0
    for block in blocks:
        if not len(block):
            continue
        queries = range(first, first + len(block))
        same_pid = [images.get(pids[query], _NONE) for query in queries]
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


def _rows_by_pid(gallery_pid: np.ndarray) -> dict[int | str, np.ndarray]:
    """Per identity the gallery's rows that show it, ascending."""
    if not len(gallery_pid):
        return {}
    order = np.argsort(gallery_pid, kind="stable")
    pids, starts = np.unique(gallery_pid[order], return_index=True)
    return dict(zip(pids.tolist(), np.split(order, starts[1:]), strict=True))


def _unit_rows(vectors: ArrayLike) -> np.ndarray:
    vectors = np.asarray(vectors)
    return vectors / _lengths(vectors)[:, None]


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Of rows, (N, D) -> (N,), at least 1e-12; squares of all of them at once would be a second copy."""
    parts = [np.linalg.norm(vectors[start : start + CHUNK], axis=1) for start in range(0, len(vectors), CHUNK)]
    return np.maximum(np.concatenate(parts), 1e-12) if parts else np.empty(0)


def _ids(name: str, query: ArrayLike, gallery: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of query and gallery, (Q,) and (G,), both int64 or both text."""
    columns = _id_column(f"query_{name}", query), _id_column(f"gallery_{name}", gallery)
    full = [column for column in columns if len(column)]
    if len(full) == 2 and full[0].dtype.kind != full[1].dtype.kind:
        kinds = ["text" if column.dtype.kind == "U" else "numbers" for column in full]
        raise ValueError(f"query_{name} holds {kinds[0]}, gallery_{name} {kinds[1]}; expected the same kind in both")
    query, gallery = (column if len(column) or not full else np.empty(0, full[0].dtype) for column in columns)
    return query, gallery


def _id_column(name: str, values: ArrayLike) -> np.ndarray:
    """Return ids as int64 or text, (N,); int64 where there are none."""
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"{name} has the shape {column.shape}; expected one id for each image, (N,)")
    if column.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):  # of NaN and of what is too large, which the comparison finds
            numbers = column.astype(np.int64)
        if not (wrong := column[numbers != column]).size:
            return numbers
        raise ValueError(f"{name} holds {wrong[0]}; expected whole numbers below 2 ** 63, or text")
    items = list(values) if isinstance(values, Sequence) else column.tolist()  # numpy turns ["0001", 2] into text
    if all(isinstance(item, str) for item in items):
        return column.astype(np.str_)
    if all(isinstance(item, (int, np.integer)) and abs(item) < 1 << 63 for item in items):
        return column.astype(np.int64)
    by_kind = {type(item): item for item in reversed(items)}
    examples = " and ".join(repr(item) for item in reversed(by_kind.values()))
    raise ValueError(f"{name} holds {examples}; expected whole numbers below 2 ** 63, or text, one kind for all")


def _distances(
    distance: ArrayLike, pids: tuple[np.ndarray, np.ndarray], camids: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the distances, (Q, G), in a type that the ranks can be counted in."""
    matrix, shape = np.asarray(distance), tuple(map(len, pids))
    if matrix.shape == (0,) and not shape[0]:  # no queries, as a list
        matrix = np.empty(shape)
    if matrix.shape != shape or tuple(map(len, camids)) != shape:
        raise ValueError(
            f"distance {matrix.shape}, query camids {len(camids[0])} and gallery camids "
            f"{len(camids[1])} do not fit {shape[0]} query and {shape[1]} gallery pids"
        )
    if matrix.dtype.kind not in "biuf":
        raise ValueError(f"distance holds {matrix.dtype}; expected real numbers")
    return matrix.astype(np.float32) if matrix.dtype == np.float16 else matrix
