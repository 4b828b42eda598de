"""Ranked lists to look at: a query and the head of its ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metabin.evaluation.metrics import (
    cosine_blocks,
    cosine_distance,
    nearest_first,
    score_blocks,
)
from metabin.evaluation.scoring import TestSet
from metabin.types import Embeddings, ImageRecord


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The embeddings of a test by one method.

    Args:
        key: what identifies them, e.g. method and seed; part of every list.
    """

    key: Mapping[str, Any]
    query: Embeddings
    gallery: Embeddings

    def precision(self) -> dict[int, float]:
        """Return the average precision of every query that has a match."""
        query, gallery = self.query, self.gallery
        blocks = cosine_blocks(query.features, gallery.features)
        scores = score_blocks(blocks, query.pid, gallery.pid, query.camid, gallery.camid)
        return dict(scores.by_query)


def example_lists(
    example: Retrieval,
    baseline: Retrieval | None,
    test: TestSet,
    records: Sequence[ImageRecord],
    folder: str,
    *,
    length: int = 8,
) -> list[dict[str, Any]]:
    """Return lists of the queries of `example_queries`, of both methods.

    Args:
        records: of the domain, in the order of its pixels.
        folder: of the domain's images.
        length: the number of gallery images in a list.

    Returns:
        Plain values: the key, kind, average_precision, query (path, pid, camid) and gallery (the
        same, with distance and correct). Empty if no query has a match.
    """
    methods = [example, baseline] if baseline else [example]
    precisions = [method.precision() for method in methods]
    lists = []
    for kind, index in example_queries(*precisions).items():
        for method, precision in zip(methods, precisions, strict=True):
            distance = cosine_distance(method.query.features[[index]], method.gallery.features)[0]
            same_pid = method.gallery.pid == method.query.pid[index]
            same_camera = method.gallery.camid == method.query.camid[index]
            items = [
                {
                    **_describe(records[int(test.gallery.row[item])], folder),
                    "distance": round(float(distance[item]), 4),
                    "correct": bool(same_pid[item]),
                }
                for item in nearest_first(distance, same_pid & same_camera)[:length]
            ]
            lists.append(
                {
                    **method.key,
                    "kind": kind,
                    "average_precision": round(precision[index], 6),
                    "query": _describe(records[int(test.query.row[index])], folder),
                    "gallery": items,
                }
            )
    return lists


def example_queries(
    precision: Mapping[int, float], baseline: Mapping[int, float] | None = None
) -> dict[str, int]:
    """Return a query for each kind: the best, the median and the worst average precision.

    With a baseline also those that gain and lose most of it. Of queries with equal values, the
    first counts as the better one.
    """
    if not precision:
        return {}
    best_first = sorted(precision, key=lambda index: (-precision[index], index))
    kinds = {
        "best": best_first[0],
        "typical": best_first[len(best_first) // 2],
        "worst": best_first[-1],
    }
    if baseline:
        gain = {index: precision[index] - baseline[index] for index in precision}
        most_first = sorted(gain, key=lambda index: (-gain[index], index))
        kinds |= {"gain": most_first[0], "loss": most_first[-1]}
    return kinds


def _describe(record: ImageRecord, folder: str) -> Mapping[str, Any]:
    return {"path": f"{folder}/{record.path}", "pid": record.pid, "camid": record.camid}
