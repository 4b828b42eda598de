"""A target's test without what it shares with the sources: see `metabin.data.partition.overlap`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from metabin.data.batches.loading import ImageSet
from metabin.evaluation.scoring import TestSet
from metabin.types import Embeddings


@dataclass(frozen=True, slots=True)
class CleanTest:
    """What is left of a test: `test`, and which of the whole test's query and gallery images are in it, (Q,), (G,)."""

    test: TestSet
    query: np.ndarray
    gallery: np.ndarray

    def embeddings(self, query: Embeddings, gallery: Embeddings) -> tuple[Embeddings, Embeddings]:
        """What is left of the embeddings of the whole test."""
        return _kept(query, self.query), _kept(gallery, self.gallery)


def without_overlap(test: TestSet, leaks: Sequence[Mapping[str, Any]]) -> CleanTest | None:
    """A test without the people, and the distractors, that near-duplicates show to be among the training images.

    All images of such a person are left out of query and gallery, but only the distractors themselves, as the images of
    all distractors may share one pid.

    Args:
        leaks: of the test's fold.
    Returns: None where the whole domain shares nothing, and where no query or no gallery is left.
    """
    mine = [leak for leak in leaks if leak["target"] == test.domain and leak["num_pairs"]]
    kept = [_is_clean(images, mine) for images in (test.query, test.gallery)]
    if not mine or not all(mask.any() for mask in kept):
        return None
    query, gallery = (rows_of(images, mask) for images, mask in zip((test.query, test.gallery), kept, strict=True))
    return CleanTest(replace(test, query=query, gallery=gallery), *kept)


def _is_clean(images: ImageSet, leaks: Sequence[Mapping[str, Any]]) -> np.ndarray:
    pids = [pid for leak in leaks for pid in leak["pids"]]
    distractors = [row for leak in leaks for row in leak["distractors"]]
    return ~np.isin(images.pid, pids) & ~np.isin(images.row, distractors)


def rows_of(images: ImageSet, kept: np.ndarray) -> ImageSet:
    """The images of a mask, (N,), in their order."""
    columns = ("dataset", "row", "domain", "pid", "camid", "label")
    return replace(images, **{name: getattr(images, name)[kept] for name in columns})


def _kept(embeddings: Embeddings, kept: np.ndarray) -> Embeddings:
    return Embeddings(**{column.name: getattr(embeddings, column.name)[kept] for column in fields(embeddings)})
