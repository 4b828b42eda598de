"""Ranked lists to look at: a query and the head of its ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metabin.metrics import average_precision, cosine_distance, match_ranks, ranking
from metabin.protocol.evaluation import TestSet
from metabin.types import Embeddings, ImageRecord


def telling_lists(
    query: Embeddings,
    gallery: Embeddings,
    test: TestSet,
    records: Sequence[ImageRecord],
    folder: str,
    *,
    length: int = 8,
) -> list[dict[str, Any]]:
    """The lists with the best, the median and the worst average precision; of equal ones the first query's.

    Args:
        records: the domain's, in the order of its pixels. folder: where its images are. length: gallery images shown.
    Returns: plain values: kind, average_precision, query and gallery (path, pid, camid; there also distance, correct).
    """
    distance = cosine_distance(query.features, gallery.features)
    same_pid = query.pid[:, None] == gallery.pid
    left_out = same_pid & (query.camid[:, None] == gallery.camid)
    precision = {}
    for index in range(len(distance)):
        ranks = match_ranks(distance[index], same_pid[index], left_out[index])
        if ranks.size:
            precision[index] = average_precision(ranks)
    best_first = sorted(precision, key=lambda index: (-precision[index], index))
    if not best_first:
        return []
    kinds = {"best": best_first[0], "typical": best_first[len(best_first) // 2], "worst": best_first[-1]}
    lists = []
    for kind, index in kinds.items():
        head = ranking(distance[index], left_out[index])[:length]
        lists.append(
            {
                "kind": kind,
                "average_precision": round(precision[index], 6),
                "query": _describe(records[int(test.query.row[index])], folder),
                "gallery": [
                    {
                        **_describe(records[int(test.gallery.row[item])], folder),
                        "distance": round(float(distance[index, item]), 4),
                        "correct": bool(same_pid[index, item]),
                    }
                    for item in head
                ],
            }
        )
    return lists


def _describe(record: ImageRecord, folder: str) -> Mapping[str, Any]:
    return {"path": f"{folder}/{record.path}", "pid": record.pid, "camid": record.camid}
