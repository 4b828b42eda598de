"""Ranking against evaluators that sort, and distances with ranking against the product alone.

Distances and embeddings of 2,048 numbers are random. The numbers of queries, gallery images,
identities and cameras are those of Market-1501 and MSMT17.

The compiled evaluators of fast-reid and torchreid take part where they are installed; see
`benchmarks.packages`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numba import njit

from benchmarks import pairs
from benchmarks.packages import FASTREID, TORCHREID, load_module
from metabin.evaluation import metrics
from metabin.evaluation.scoring import retrieval_scores
from metabin.types import Embeddings

# Queries, gallery images, identities, cameras.
SIZES = {"Market-1501": (3_368, 15_913, 750, 6), "MSMT17": (11_659, 82_161, 3_060, 15)}
GOAL = 20
PACKAGE_GOAL = 60
PRODUCT_GOAL = 1 / 1.3
MEMORY_GOAL = 3.8  # 1 GB, where the distance matrix takes 3.8 GB
# Queries in the comparison with evaluators that sort, which take long.
SLICES = {"Market-1501": 3_368, "MSMT17": 1_000}


def rows() -> Iterator[pairs.Row]:
    for name, num_query in SLICES.items():
        yield from against_evaluators(name, num_query)
    for name, warm_ups in (("Market-1501", 1), ("MSMT17", 0)):
        is_large = name == "MSMT17"
        yield from pairs.compare_processes(
            f"{name}: distances and ranking",
            "the product of the embeddings alone",
            "benchmarks.ranking",
            f"scoring:{name}",
            f"product:{name}",
            warm_ups=warm_ups,
            repeats=1 if is_large else 3,
            goal=PRODUCT_GOAL,
            memory_goal=MEMORY_GOAL if is_large else None,
        )


def against_evaluators(name: str, num_query: int) -> Iterator[pairs.Row]:
    """Compare with evaluators that sort, compiled as ours is, on the same distances."""
    case = distances(name, num_query)
    for evaluator, evaluate, goal in evaluators():
        yield pairs.compare(
            f"{name}: ranking, {num_query:,} queries",
            evaluator,
            partial(metrics.score, *case),
            partial(evaluate, *case),
            repeats=3,
            goal=goal,
        )


def evaluators() -> Iterator[tuple[str, Callable[..., object], float]]:
    """Yield the name, the function and the goal of the ratio of each evaluator."""
    yield "argsort and a compiled walk", by_sorting, GOAL
    for name, package in (("fast-reid", FASTREID), ("torchreid", TORCHREID)):
        if module := load_module(package, "*/rank_cylib/rank_cy.*.so"):
            yield (
                f"{name}'s compiled evaluator",
                partial(module.evaluate_cy, max_rank=50),
                PACKAGE_GOAL,
            )


def distances(name: str, num_query: int) -> tuple[np.ndarray, ...]:
    """Return random arguments of `metrics.score`: distances, identities and cameras."""
    _, num_gallery, num_ids, num_cams = SIZES[name]
    random = np.random.default_rng(0)
    columns = [
        random.integers(0, top, number)
        for top in (num_ids, num_cams)
        for number in (num_query, num_gallery)
    ]
    return random.random((num_query, num_gallery), dtype=np.float32), *columns


def by_sorting(
    distance: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> float:
    """Compute mAP as compiled evaluators do: sort all distances, then walk through every row."""
    order = np.argsort(distance, axis=1)
    return walk(order, query_pid, gallery_pid, query_camid, gallery_camid)


@njit(cache=True)
def walk(
    order: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> float:
    """Compute mAP from the gallery indices of every query, nearest first."""
    total = 0.0
    num_valid = 0
    for q in range(len(order)):
        rank = 0
        num_matches = 0
        precision = 0.0
        for g in order[q]:
            if gallery_pid[g] == query_pid[q] and gallery_camid[g] == query_camid[q]:
                continue
            rank += 1
            if gallery_pid[g] == query_pid[q]:
                # AP = (1/m) sum_j j / r_j
                num_matches += 1
                precision += num_matches / rank
        if num_matches:
            total += precision / num_matches
            num_valid += 1
    return total / num_valid


def scoring(name: str) -> Callable[[], object]:
    """Return a function that computes distances and scores."""
    query, gallery = embeddings(name)
    return lambda: retrieval_scores(query, gallery)


def product(name: str) -> Callable[[], object]:
    """Return a function that computes the product of the embeddings."""
    query, gallery = embeddings(name)
    return lambda: query.features @ gallery.features.T


def embeddings(name: str) -> tuple[Embeddings, Embeddings]:
    """Return random embeddings of queries and gallery."""
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
