"""What retrieval gives without any training: colour alone, and chance."""

from __future__ import annotations

import numpy as np

from metabin.metrics import score
from metabin.protocol.evaluation import TestSet
from metabin.seeding import generator
from metabin.types import RetrievalScores

NUM_STRIPES = 8


def stripe_scores(test: TestSet) -> RetrievalScores:
    """The mean RGB of 8 horizontal stripes of the middle half of the width, compared by euclidean distance."""
    query, gallery = (_stripes(images.images(np.arange(len(images)))) for images in (test.query, test.gallery))
    squared = np.square(query).sum(axis=1)[:, None] + np.square(gallery).sum(axis=1) - 2 * query @ gallery.T
    return _score(squared, test)


def chance_scores(test: TestSet) -> RetrievalScores:
    """A random ranking, the same at every call."""
    return _score(generator(0, "chance", test.domain).random((len(test.query), len(test.gallery))), test)


UNTRAINED = {"stripes": stripe_scores, "chance": chance_scores}


def _score(distance: np.ndarray, test: TestSet) -> RetrievalScores:
    return score(distance, test.query.pid, test.gallery.pid, test.query.camid, test.gallery.camid)


def _stripes(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, 24) float64."""
    quarter = images.shape[2] // 4  # people stand in the middle, the background at the sides
    images = images[:, :, quarter : images.shape[2] - quarter]
    stripes = [part.mean(axis=(1, 2)) for part in np.array_split(images.astype(np.float64), NUM_STRIPES, axis=1)]
    return np.concatenate(stripes, axis=1)
