"""Ranking: against evaluators that sort, and distances and ranking together against the bare product of the embeddings.

Random distances and embeddings of 2,048 numbers; as many queries, gallery images, identities and cameras as in
Market-1501 and MSMT17.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
from numba import njit

from benchmarks import pairs
from metabin.evaluation import metrics
from metabin.evaluation.scoring import retrieval_scores
from metabin.types import Embeddings

SIZES = {"Market-1501": (3_368, 15_913, 750, 6), "MSMT17": (11_659, 82_161, 3_060, 15)}
GOAL, PRODUCT_GOAL, MEMORY_GOAL = 20, 1 / 1.3, 3.8  # the last: 1 GB where the matrix takes 3.8
SLICES = {"Market-1501": 3_368, "MSMT17": 1_000}  # queries for which sorting is patient


def rows() -> Iterator[pairs.Row]:
    for name, num_query in SLICES.items():
        yield against_sorting(name, num_query)
    if fastreid := public_evaluator():
        yield against_fastreid(fastreid)
    for name, warm_ups in (("Market-1501", 1), ("MSMT17", 0)):
        yield from pairs.apart(
            f"{name}: distances and ranking",
            "the product of the embeddings alone",
            "benchmarks.ranking",
            f"scoring:{name}",
            f"product:{name}",
            warm_ups=warm_ups,
            repeats=3 - 2 * (name == "MSMT17"),
            goal=PRODUCT_GOAL,
            memory_goal=MEMORY_GOAL if name == "MSMT17" else None,
        )


def against_sorting(name: str, num_query: int) -> pairs.Row:
    case = distances(name, num_query)
    what = f"{name}: ranking, {num_query:,} queries"
    other = "argsort and a compiled walk"
    return pairs.seconds(what, other, lambda: metrics.score(*case), lambda: by_sorting(*case), repeats=3, goal=GOAL)


def against_fastreid(rank: ModuleType, num_query: int = 60) -> pairs.Row:
    case = distances("Market-1501", num_query)
    distance, query_pid, gallery_pid, query_camid, gallery_camid = case
    columns = (query_pid, gallery_pid, query_camid, gallery_camid)
    return pairs.seconds(
        f"Market-1501: ranking, {num_query} queries",
        "fastreid's evaluator in Python",
        lambda: metrics.score(*case),
        lambda: rank.evaluate_rank(distance, *columns, use_cython=False),
        repeats=3,
    )


def public_evaluator() -> ModuleType | None:
    """fastreid's ranking, where it is installed (pip install --no-deps fastreid==1.4.0)."""
    package = importlib.util.find_spec("fastreid")
    if not package or not package.origin:
        return None
    spec = importlib.util.spec_from_file_location("rank", Path(package.origin).parent / "evaluation" / "rank.py")
    assert spec and spec.loader
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


def distances(name: str, num_query: int) -> tuple[np.ndarray, ...]:
    """Of random numbers, with the identities and cameras of queries and gallery as `metrics.score` takes them."""
    _, num_gallery, num_ids, num_cams = SIZES[name]
    random = np.random.default_rng(0)
    columns = [random.integers(0, top, number) for top in (num_ids, num_cams) for number in (num_query, num_gallery)]
    return random.random((num_query, num_gallery), dtype=np.float32), *columns


def by_sorting(
    distance: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> float:
    """mAP as compiled evaluators compute it: sort everything, then walk along."""
    order = np.argsort(distance, axis=1, kind="stable")
    return walk(order, query_pid, gallery_pid, query_camid, gallery_camid)


@njit(cache=True)
def walk(
    order: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> float:
    total, num_valid = 0.0, 0
    for q in range(len(order)):
        rank, found, precision = 0, 0, 0.0
        for g in order[q]:
            if gallery_pid[g] == query_pid[q] and gallery_camid[g] == query_camid[q]:
                continue
            rank += 1
            if gallery_pid[g] == query_pid[q]:
                found += 1
                precision += found / rank
        if found:
            total += precision / found
            num_valid += 1
    return total / num_valid


def scoring(name: str) -> Callable[[], object]:
    query, gallery = embeddings(name)
    return lambda: retrieval_scores(query, gallery)


def product(name: str) -> Callable[[], object]:
    query, gallery = embeddings(name)
    return lambda: query.features @ gallery.features.T


def embeddings(name: str) -> tuple[Embeddings, Embeddings]:
    num_query, num_gallery, num_ids, num_cams = SIZES[name]
    random = np.random.default_rng(0)
    query, gallery = (
        Embeddings(
            random.standard_normal((number, 2048), dtype=np.float32),
            random.integers(0, num_ids, number),
            random.integers(0, num_cams, number),
        )
        for number in (num_query, num_gallery)
    )
    return query, gallery


if __name__ == "__main__":
    pairs.main(rows)
