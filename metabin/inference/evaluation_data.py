"""A data set on which models of any input size are evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from metabin.data.batches.loading import ImageSet
from metabin.errors import DatasetError
from metabin.evaluation.scoring import TestSet
from metabin.inference.images import to_pixels
from metabin.types import ImageRecord


@dataclass(frozen=True, slots=True)
class Source:
    """A training data set of a fold: its fingerprint, and the number of identities that train."""

    fingerprint: str
    num_ids: int


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """A data set and its tests, for models of any input size.

    Attributes:
        name: Of the data set.
        fingerprint: Over all images, see `metabin.data.acquisition.check.fingerprint`.
        records: All images.
        folder: Folder that the records' paths are relative to.
        splits: Query and gallery of each test, as rows of `records`, (Q,) and (G,) int64.
        has_trials: Whether `splits` are numbered random splits, not one fixed test.
        pixels: Of all records, (N, H, W, 3) uint8; None where only the files exist.
        fold: Fold of the partition; "" without a partition.
        sources: Training data sets of the fold.
        remark: Remark on the queries that cannot be scored; "" without any.
    """

    name: str
    fingerprint: str
    records: Sequence[ImageRecord]
    folder: Path
    splits: Sequence[tuple[np.ndarray, np.ndarray]]
    has_trials: bool
    pixels: np.ndarray | None = None
    fold: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)
    remark: str = ""

    def has_pixels(self, height: int, width: int) -> bool:
        """Return whether the partition holds the images at a size."""
        return self.pixels is not None and self.pixels.shape[1:3] == (height, width)

    def tests(self, height: int, width: int, *, unseen: bool) -> list[TestSet]:
        """Return the tests, with images of a size.

        The pixels of the partition are used if they have this size. Otherwise images are read from
        their files when they are needed, and resized as `metabin.data.store` does.

        Raises:
            DatasetError: Files are needed, and their folder does not exist.
        """
        pixels = self.pixels
        if not self.has_pixels(height, width):
            pixels = cast(np.ndarray, self._files(height, width))
        assert pixels is not None
        tests = []
        for index, (query, gallery) in enumerate(self.splits):
            trial = index if self.has_trials else None
            query_images = self._image_set(query, pixels)
            gallery_images = self._image_set(gallery, pixels)
            tests.append(TestSet(self.name, unseen, query_images, gallery_images, trial))
        return tests

    def _files(self, height: int, width: int) -> ImageFiles:
        if not self.folder.is_dir():
            raise DatasetError(
                f"{self.name}: the model takes images of {height}x{width}, which the partition "
                f"does not hold, and the folder of the images, {self.folder}, does not exist; put "
                "it back, or set partition.height and partition.width to the model's size and run "
                "`dvc repro partition`"
            )
        paths = [self.folder / record.path for record in self.records]
        return ImageFiles(paths, height, width)

    def _image_set(self, rows: np.ndarray, pixels: np.ndarray) -> ImageSet:
        records = [self.records[row] for row in rows]
        zeros = np.zeros(len(rows), np.int64)
        pid = np.array([record.pid for record in records], np.int64)
        return ImageSet(
            pixels=(pixels,),
            dataset=zeros,
            row=rows,
            domain=zeros,
            pid=pid,
            camid=np.array([record.camid for record in records], np.int64),
            label=pid,  # labels are for training
            names=(self.name,),
        )


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Image files that can be indexed like the pixels of a partition: row -> (H, W, 3) uint8."""

    paths: Sequence[Path]
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return the shape of the pixels of all images."""
        return len(self.paths), self.height, self.width, 3

    def __getitem__(self, row: int) -> np.ndarray:
        return to_pixels(self.paths[row], self.height, self.width)
