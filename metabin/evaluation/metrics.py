"""Retrieval metrics by the Market-1501 rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from metabin.types import RetrievalScores

BLOCK = 1 << 25  # distances that are in memory at once: 134 MB in float32
CHUNK = 4096  # rows whose squares are in memory at once
Multiply = Callable[[np.ndarray], np.ndarray]


def cosine_distance(query: ArrayLike, gallery: ArrayLike) -> np.ndarray:
    """Return 1 - cosine, (Q, D) and (G, D) -> (Q, G) in [0, 2].

    A zero vector is at distance 1 from everything.
    """
    return 1 - _unit_rows(query) @ _unit_rows(gallery).T


def cosine_blocks(
    query: np.ndarray,
    gallery: np.ndarray,
    multiply: Multiply | None = None,
) -> Iterator[np.ndarray]:
    """Yield the rows of `cosine_distance`, some queries at a time.

    The whole matrix of MSMT17 would take 4 GB.

    Args:
        multiply: returns rows @ gallery.T of some rows; numpy's product by default.
    """
    multiply = multiply or (lambda rows: rows @ gallery.T)
    # 1 - q.g / (|q| |g|). Columns are scaled by -1 / |g|: unit rows of the gallery would be a copy.
    scale = -1 / _lengths(gallery)
    for rows in row_blocks(len(query), len(gallery)):
        distance = multiply(_unit_rows(query[rows]))
        distance *= scale
        distance += 1
        yield distance


def row_blocks(num_query: int, num_gallery: int) -> Iterator[slice]:
    """Yield slices of the queries whose distances are at most `BLOCK` numbers."""
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
    """Compute CMC, mAP, mINP, and the average precision of every query.

    For each query, gallery images of the same pid under the same camera are left out and the others
    ranked by distance. At equal distance the gallery's order decides, so that the scores are a
    function of the input. With the 1-based ranks r_1 < ... < r_m of the m matches:

        CMC@k = [r_1 <= k],   AP = (1/m) sum_j j / r_j,   INP = m / r_m

    Queries without a match are left out of the means. If no query has a match, or there is no query
    or no gallery image, every mean is NaN and `num_query` is 0.

    Args:
        distance: (Q, G).
        query_pid: (Q,), whole numbers or text, of the same kind in query and gallery.
        gallery_pid: (G,).
        query_camid: (Q,), whole numbers or text, of the same kind in query and gallery.
        gallery_camid: (G,).
        ranks: the k of CMC@k, whole numbers >= 1.

    Raises:
        ValueError: shapes that do not fit, ids of another kind or of both kinds, a rank below 1, or
            a distance that is not a number.

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
    """Compute `score` from blocks of rows of the distance matrix, without its checks.

    Args:
        blocks: each (B, G), in the order of the queries.
    """
    ids = (query_pid, gallery_pid, query_camid, gallery_camid)
    match_ranks, starts = ranks_of_matches(blocks, *ids)
    num_matches = np.diff(starts)
    scored = num_matches > 0
    if not scored.any():
        return RetrievalScores(np.nan, np.nan, dict.fromkeys(ranks, np.nan), 0)
    precision = average_precision(match_ranks, starts)[scored]
    first_ranks = match_ranks[starts[:-1][scored]]
    last_ranks = match_ranks[starts[1:][scored] - 1]
    return RetrievalScores(
        mAP=float(np.mean(precision)),
        mINP=float(np.mean(num_matches[scored] / last_ranks)),  # INP = m / r_m
        # CMC@k = mean over queries of [r_1 <= k]
        cmc={k: float(np.mean(first_ranks <= k)) for k in ranks},
        num_query=len(precision),
        by_query=dict(zip(np.flatnonzero(scored).tolist(), precision.tolist(), strict=True)),
    )


def average_precision(match_ranks: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Compute the average precision of every query, (Q,) float64; NaN without a match.

    Args:
        match_ranks, starts: as `ranks_of_matches` returns them.
    """
    num_matches = np.diff(starts)
    query = np.repeat(np.arange(len(num_matches)), num_matches)
    # AP = (1/m) sum_j j / r_j: j matches are among the first r_j images
    place = np.arange(1, len(query) + 1) - starts[query]
    sums = np.bincount(query, place / match_ranks, len(num_matches))
    with np.errstate(invalid="ignore"):  # 0 / 0 without a match
        return sums / num_matches


def ranks_of_matches(
    blocks: Iterable[np.ndarray],
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the 1-based ranks of all matches.

    Args:
        blocks: the rows of the distance matrix, some queries at a time, (B, G) float32 or float64.

    Returns:
        The ranks of the first query's matches, ascending, then of the second's and so on, (M,); and
        the start of each query's part and the end of the last, (Q + 1,).

    Raises:
        ValueError: a distance is not a number.
    """
    from metabin.evaluation.match_ranks import rank_matches

    matches, match_starts, left_out, left_out_starts = _images_of_pid(
        query_pid, gallery_pid, query_camid, gallery_camid
    )
    ranks = np.empty(len(matches), np.int64)
    first = 0
    for block in blocks:
        block = np.ascontiguousarray(block)
        last = first + len(block)
        rows = slice(first, last + 1)
        num_bad = rank_matches(
            block, matches, left_out, match_starts[rows], left_out_starts[rows], ranks
        )
        if num_bad:
            raise ValueError(
                f"{num_bad} of {block.size} distances are not numbers; look at the embeddings first"
            )
        first = last
    return ranks, match_starts


def nearest_first(distance: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Return gallery indices by distance, without those left out; ties in gallery order.

    Args:
        distance: of one query, (G,).
        left_out: (G,) bool.
    """
    order = np.argsort(distance, kind="stable")
    return order[~left_out[order]]


def _images_of_pid(
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the gallery indices of each query's matches, and of the images that are left out.

    Returns:
        The matches of the first query, then of the second and so on, (M,); the start of each
        query's part and the end of the last, (Q + 1,); and the same for the images left out.
    """
    order = np.argsort(gallery_pid)
    sorted_pid = gallery_pid[order]
    # The images of a query's identity are order[start:stop].
    start = np.searchsorted(sorted_pid, query_pid)
    stop = np.searchsorted(sorted_pid, query_pid, side="right")
    query = np.repeat(np.arange(len(query_pid)), stop - start)
    starts = _starts(stop - start)
    images = order[np.arange(len(query)) + (start - starts[:-1])[query]]
    is_match = gallery_camid[images] != query_camid[query]
    num_matches = np.bincount(query[is_match], minlength=len(query_pid))
    left_out_starts = starts - _starts(num_matches)
    return images[is_match], _starts(num_matches), images[~is_match], left_out_starts


def _starts(sizes: np.ndarray) -> np.ndarray:
    """Return the starts of consecutive parts and the end of the last, (N,) -> (N + 1,)."""
    return np.append(0, np.cumsum(sizes))


def _unit_rows(vectors: ArrayLike) -> np.ndarray:
    vectors = np.asarray(vectors)
    return vectors / _lengths(vectors)[:, None]


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of rows, (N, D) -> (N,), at least 1e-12."""
    # In chunks, since the squares of all rows at once would be a second copy of them.
    starts = range(0, len(vectors), CHUNK)
    parts = [np.linalg.norm(vectors[start : start + CHUNK], axis=1) for start in starts]
    return np.maximum(np.concatenate(parts), 1e-12) if parts else np.empty(0)


def _ids(name: str, query: ArrayLike, gallery: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of query and gallery, (Q,) and (G,), both int64 or both text."""
    query_ids = _id_column(f"query_{name}", query)
    gallery_ids = _id_column(f"gallery_{name}", gallery)
    if len(query_ids) and len(gallery_ids) and query_ids.dtype.kind != gallery_ids.dtype.kind:
        columns = (query_ids, gallery_ids)
        kinds = ["text" if ids.dtype.kind == "U" else "numbers" for ids in columns]
        raise ValueError(
            f"query_{name} holds {kinds[0]}, gallery_{name} {kinds[1]}; "
            "expected the same kind in both"
        )
    # A column without ids takes the kind of the other.
    if not len(query_ids):
        query_ids = np.empty(0, gallery_ids.dtype)
    if not len(gallery_ids):
        gallery_ids = np.empty(0, query_ids.dtype)
    return query_ids, gallery_ids


def _id_column(name: str, values: ArrayLike) -> np.ndarray:
    """Return ids as int64 or text, (N,); int64 if there are none."""
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(
            f"{name} has the shape {column.shape}; expected one id for each image, (N,)"
        )
    if column.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):  # NaN and too large values differ from `numbers` below
            numbers = column.astype(np.int64)
        if not (wrong := column[numbers != column]).size:
            return numbers
        raise ValueError(f"{name} holds {wrong[0]}; expected whole numbers below 2 ** 63, or text")
    # From a list, its items: numpy turns ["0001", 2] into text.
    items = list(values) if isinstance(values, Sequence) else column.tolist()
    if all(isinstance(item, str) for item in items):
        return column.astype(np.str_)
    if all(isinstance(item, (int, np.integer)) and abs(item) < 1 << 63 for item in items):
        return column.astype(np.int64)
    by_kind = {type(item): item for item in reversed(items)}
    examples = " and ".join(repr(item) for item in reversed(by_kind.values()))
    raise ValueError(
        f"{name} holds {examples}; expected whole numbers below 2 ** 63, or text, one kind for all"
    )


def _distances(
    distance: ArrayLike, pids: tuple[np.ndarray, np.ndarray], camids: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return the distances, (Q, G), in a type that `match_ranks` takes."""
    matrix = np.asarray(distance)
    shape = tuple(map(len, pids))
    if matrix.shape == (0,) and not shape[0]:  # no queries, as a list
        matrix = np.empty(shape)
    if matrix.shape != shape or tuple(map(len, camids)) != shape:
        raise ValueError(
            f"distance {matrix.shape}, query camids {len(camids[0])} and gallery camids "
            f"{len(camids[1])} do not fit {shape[0]} query and {shape[1]} gallery pids"
        )
    if matrix.dtype.kind not in "biuf":
        raise ValueError(f"distance holds {matrix.dtype}; expected real numbers")
    is_narrow = matrix.dtype in (np.float16, np.float32)
    return matrix.astype(np.float32 if is_narrow else np.float64, copy=False)
