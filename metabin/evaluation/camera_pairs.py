"""Scores of each pair of cameras: queries of one camera, gallery images of another."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import torch

from metabin.evaluation.metrics import row_blocks, score_blocks
from metabin.evaluation.scoring import distance_blocks
from metabin.types import Embeddings

PAIR = ("query_camid", "gallery_camid")


def camera_pair_scores(
    query: Embeddings, gallery: Embeddings, device: torch.device | None = None
) -> list[dict[str, Any]]:
    """Return one row per pair of cameras: PAIR, num_query, mAP, rank1.

    Queries without a match under the gallery's camera are left out of the means, and num_query
    counts the others. Pairs without such a query have no row.

    Args:
        device: computes the product of the embeddings; numpy does if it is None or the CPU.
    """
    pairs = pairs_with_matches(query, gallery)
    columns = {camid: np.flatnonzero(gallery.camid == camid) for _, camid in pairs}
    sums: dict[tuple[int, int], np.ndarray] = defaultdict(lambda: np.zeros(3))
    # Products of all images, from which pairs are cut: many small products are slower.
    blocks = distance_blocks(query, gallery, device)
    for rows, block in zip(row_blocks(len(query.pid), len(gallery.pid)), blocks, strict=True):
        for pair in pairs:
            in_block = np.flatnonzero(query.camid[rows] == pair[0])
            images = columns[pair[1]]
            scores = score_blocks(
                [block[np.ix_(in_block, images)]],
                query.pid[rows][in_block],
                gallery.pid[images],
                query.camid[rows][in_block],
                gallery.camid[images],
                ranks=(1,),
            )
            if scores.num_query:
                # A mean over the queries of all blocks is a sum, divided by their number.
                sums[pair] += scores.num_query * np.array([1, scores.mAP, scores.cmc[1]])
    return [
        dict(zip(PAIR, pair, strict=True))
        | {"num_query": int(count), "mAP": precision / count, "rank1": hits / count}
        for pair, (count, precision, hits) in sorted(sums.items())
    ]


def pairs_with_matches(query: Embeddings, gallery: Embeddings) -> list[tuple[int, int]]:
    """Return the pairs of different cameras that share a person, sorted."""
    pairs = _people(query).merge(_people(gallery), on="pid", suffixes=("_query", "_gallery"))
    pairs = pairs[pairs["camid_query"] != pairs["camid_gallery"]]
    cameras = pairs[["camid_query", "camid_gallery"]].drop_duplicates()
    return sorted(cameras.itertuples(index=False, name=None))


def _people(images: Embeddings) -> pd.DataFrame:
    return pd.DataFrame({"pid": images.pid, "camid": images.camid}).drop_duplicates()
