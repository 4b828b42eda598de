"""Retrieval without any training: by colour alone, and by chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metabin.data.batches.loading import ImageSet
from metabin.evaluation.metrics import row_blocks, score_blocks
from metabin.evaluation.scoring import TestSet
from metabin.seeding import generator
from metabin.types import RetrievalScores


def colour_scores(test: TestSet, *, num_stripes: int) -> RetrievalScores:
    """Score the mean RGB of horizontal stripes by euclidean distance.

    The stripes cover the middle half of the image's width.
    """
    query = _stripes(test.query, num_stripes)
    gallery = _stripes(test.gallery, num_stripes)
    squares = np.square(gallery).sum(axis=1)

    def squared_distance(rows: slice) -> np.ndarray:
        # |q - g|^2 = |q|^2 + |g|^2 - 2 q.g
        return np.square(query[rows]).sum(axis=1)[:, None] + squares - 2 * query[rows] @ gallery.T

    return _score(squared_distance, test)


def chance_scores(test: TestSet) -> RetrievalScores:
    """Score a random ranking, the same at every call."""
    random = generator(0, "chance", test.domain)

    def random_distance(rows: slice) -> np.ndarray:
        return random.random((rows.stop - rows.start, len(test.gallery)))

    return _score(random_distance, test)


UNTRAINED: dict[str, Callable[[TestSet], RetrievalScores]] = {
    "stripes": lambda test: colour_scores(test, num_stripes=8),
    "mean_colour": lambda test: colour_scores(test, num_stripes=1),
    "chance": chance_scores,
}


def _score(distances: Callable[[slice], np.ndarray], test: TestSet) -> RetrievalScores:
    query = test.query
    gallery = test.gallery
    blocks = map(distances, row_blocks(len(query), len(gallery)))
    return score_blocks(blocks, query.pid, gallery.pid, query.camid, gallery.camid)


def _stripes(images: ImageSet, num_stripes: int) -> np.ndarray:
    """Return the mean RGB of every stripe of every image, (N, 3 * num_stripes) float64."""
    pixels = images.images(np.arange(len(images)))
    quarter = pixels.shape[2] // 4  # people stand in the middle, the background is at the sides
    middle = pixels[:, :, quarter : pixels.shape[2] - quarter].astype(np.float64)
    stripes = np.array_split(middle, num_stripes, axis=1)
    return np.concatenate([stripe.mean(axis=(1, 2)) for stripe in stripes], axis=1)
