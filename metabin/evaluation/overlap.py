"""The test of a domain without its overlap with the training images.

`metabin.data.partition.overlap` finds the overlap, by near-duplicate images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from metabin.data.batches.loading import ImageSet
from metabin.evaluation.scoring import TestSet
from metabin.types import Embeddings


@dataclass(frozen=True, slots=True)
class TestWithoutOverlap:
    """A reduced test, and the masks of its images in the full test."""

    __test__ = False  # pytest collects classes whose names begin with Test

    test: TestSet
    query: np.ndarray  # (Q,) bool
    gallery: np.ndarray  # (G,) bool

    def embeddings(self, query: Embeddings, gallery: Embeddings) -> tuple[Embeddings, Embeddings]:
        """Select the embeddings of the reduced test from those of the full test."""
        return _select_embeddings(query, self.query), _select_embeddings(gallery, self.gallery)


def without_overlap(
    test: TestSet,
    overlaps: Sequence[Mapping[str, Any]],
) -> TestWithoutOverlap | None:
    """Return a test without the people and the distractors that are among the training images.

    All images of such a person are removed from query and gallery. Distractors are removed one by
    one, since the images of all distractors may share one pid.

    Args:
        overlaps: of the test's fold, see `metabin.data.store.load_overlaps`.

    Returns:
        None if the domain has no overlap, or if no query or no gallery image is left.
    """
    of_domain = [o for o in overlaps if o["target"] == test.domain and o["num_pairs"]]
    query_mask = _outside(test.query, of_domain)
    gallery_mask = _outside(test.gallery, of_domain)
    if not of_domain or not query_mask.any() or not gallery_mask.any():
        return None
    reduced = replace(
        test,
        query=select_images(test.query, query_mask),
        gallery=select_images(test.gallery, gallery_mask),
    )
    return TestWithoutOverlap(reduced, query_mask, gallery_mask)


def select_images(images: ImageSet, mask: np.ndarray) -> ImageSet:
    """Return the images of a mask, (N,) bool, in their order."""
    columns = ("dataset", "row", "domain", "pid", "camid", "label")
    return replace(images, **{name: getattr(images, name)[mask] for name in columns})


def _outside(images: ImageSet, overlaps: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return the mask of the images that belong to no overlap, (N,) bool."""
    pids = [pid for overlap in overlaps for pid in overlap["pids"]]
    distractors = [row for overlap in overlaps for row in overlap["distractors"]]
    return ~np.isin(images.pid, pids) & ~np.isin(images.row, distractors)


def _select_embeddings(embeddings: Embeddings, mask: np.ndarray) -> Embeddings:
    columns = [field.name for field in fields(embeddings)]
    return Embeddings(**{name: getattr(embeddings, name)[mask] for name in columns})
