"""Ranked lists to look at: a query and the head of its ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metabin.evaluation.metrics import average_precision, cosine_blocks, cosine_distance, ranking, ranks_of_matches
from metabin.evaluation.scoring import TestSet
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
    blocks = cosine_blocks(query.features, gallery.features)
    found = ranks_of_matches(blocks, query.pid, gallery.pid, query.camid, gallery.camid)
    precision = {index: average_precision(ranks) for index, ranks in enumerate(found) if ranks.size}
    best_first = sorted(precision, key=lambda index: (-precision[index], index))
    if not best_first:
        return []
    kinds = {"best": best_first[0], "typical": best_first[len(best_first) // 2], "worst": best_first[-1]}
    lists = []
    for kind, index in kinds.items():
        distance = cosine_distance(query.features[[index]], gallery.features)[0]
        same_pid = gallery.pid == query.pid[index]
        head = ranking(distance, same_pid & (gallery.camid == query.camid[index]))[:length]
        lists.append(
            {
                "kind": kind,
                "average_precision": round(precision[index], 6),
                "query": _describe(records[int(test.query.row[index])], folder),
                "gallery": [
                    {
                        **_describe(records[int(test.gallery.row[item])], folder),
                        "distance": round(float(distance[item]), 4),
                        "correct": bool(same_pid[item]),
                    }
                    for item in head
                ],
            }
        )
    return lists


def _describe(record: ImageRecord, folder: str) -> Mapping[str, Any]:
    return {"path": f"{folder}/{record.path}", "pid": record.pid, "camid": record.camid}
