"""What retrieval gives without any training: colour alone, and chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metabin.evaluation.metrics import row_blocks, score_blocks
from metabin.evaluation.scoring import TestSet
from metabin.seeding import generator
from metabin.types import RetrievalScores


def colour_scores(test: TestSet, *, num_stripes: int) -> RetrievalScores:
    """The mean RGB of horizontal stripes of the middle half of the width, compared by euclidean distance."""
    query, gallery = (_stripes(data.images(np.arange(len(data))), num_stripes) for data in (test.query, test.gallery))
    lengths = np.square(gallery).sum(axis=1)
    return _score(
        lambda rows: np.square(query[rows]).sum(axis=1)[:, None] + lengths - 2 * query[rows] @ gallery.T, test
    )


def chance_scores(test: TestSet) -> RetrievalScores:
    """A random ranking, the same at every call."""
    random = generator(0, "chance", test.domain)
    return _score(lambda rows: random.random((rows.stop - rows.start, len(test.gallery))), test)


UNTRAINED: dict[str, Callable[[TestSet], RetrievalScores]] = {
    "stripes": lambda test: colour_scores(test, num_stripes=8),
    "mean_colour": lambda test: colour_scores(test, num_stripes=1),
    "chance": chance_scores,
}


def _score(distances: Callable[[slice], np.ndarray], test: TestSet) -> RetrievalScores:
    blocks = map(distances, row_blocks(len(test.query), len(test.gallery)))
    return score_blocks(blocks, test.query.pid, test.gallery.pid, test.query.camid, test.gallery.camid)


def _stripes(images: np.ndarray, num_stripes: int) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, 3 * num_stripes) float64."""
    quarter = images.shape[2] // 4  # people stand in the middle, the background at the sides
    middle = images[:, :, quarter : images.shape[2] - quarter].astype(np.float64)
    return np.concatenate([part.mean(axis=(1, 2)) for part in np.array_split(middle, num_stripes, axis=1)], axis=1)
