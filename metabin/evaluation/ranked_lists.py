"""Ranked lists to look at: a query and the head of its ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metabin.evaluation.metrics import (
    cosine_blocks,
    cosine_distance,
    nearest_first,
    score_blocks,
)
from metabin.evaluation.scoring import TestSet
from metabin.types import Embeddings, ImageRecord


def example_lists(
    query: Embeddings,
    gallery: Embeddings,
    test: TestSet,
    records: Sequence[ImageRecord],
    folder: str,
    *,
    length: int = 8,
) -> list[dict[str, Any]]:
    """Return the lists with the best, the median and the worst average precision.

    Of queries with equal precision, the first counts as the better one.

    Args:
        records: of the domain, in the order of its pixels.
        folder: of the domain's images.
        length: the number of gallery images in a list.

    Returns:
        Plain values: kind, average_precision, query (path, pid, camid) and gallery (the same, with
        distance and correct). Empty if no query has a match.
    """
    lists = []
    for kind, (index, precision) in _examples(query, gallery).items():
        distance = cosine_distance(query.features[[index]], gallery.features)[0]
        same_pid = gallery.pid == query.pid[index]
        same_camera = gallery.camid == query.camid[index]
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
                "kind": kind,
                "average_precision": round(precision, 6),
                "query": _describe(records[int(test.query.row[index])], folder),
                "gallery": items,
            }
        )
    return lists


def _examples(query: Embeddings, gallery: Embeddings) -> dict[str, tuple[int, float]]:
    """Return the index and the average precision of one query per kind of list."""
    blocks = cosine_blocks(query.features, gallery.features)
    scores = score_blocks(blocks, query.pid, gallery.pid, query.camid, gallery.camid)
    best_first = sorted(scores.by_query.items(), key=lambda item: (-item[1], item[0]))
    if not best_first:
        return {}
    return {
        "best": best_first[0],
        "typical": best_first[len(best_first) // 2],
        "worst": best_first[-1],
    }


def _describe(record: ImageRecord, folder: str) -> Mapping[str, Any]:
    return {"path": f"{folder}/{record.path}", "pid": record.pid, "camid": record.camid}
