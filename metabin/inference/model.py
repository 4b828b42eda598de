"""A trained model, ready to embed images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from metabin.compute import memory_limit
from metabin.errors import DatasetError
from metabin.evaluation.scoring import embed_pixels
from metabin.inference.images import AnyImage, PixelBatch, Reader, as_images
from metabin.inference.similarity import unit_length
from metabin.model.description import ModelDescription
from metabin.model.embedder import Embedder

BATCH_SIZE = 64


class Backend(Protocol):
    """The network: pixels (B, H, W, 3) uint8 at the model's size -> embeddings (B, D)."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class TorchBackend:
    """The network in PyTorch, in evaluation mode."""

    network: Embedder
    device: torch.device

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return embed_pixels(self.network, pixels)


@dataclass(frozen=True, slots=True)
class EmbeddedBatch:
    """The embeddings of some images.

    Attributes:
        index: (B,) int64, the position of each image among all images, from 0.
        embeddings: (B, D) float32 of unit length.
        unreadable: Position -> name and reason, of the images that are left out.
    """

    index: np.ndarray
    embeddings: np.ndarray
    unreadable: dict[int, str]


@dataclass(frozen=True, slots=True)
class ReIDModel:
    """A trained model. `metabin.load` returns one.

    Images are resized and normalised exactly as in the evaluation of the pipeline. An embedding
    depends on its image alone, up to rounding (1e-6) in batches of another size.
    """

    description: ModelDescription
    backend: Backend

    def embed(
        self,
        images: AnyImage | Iterable[AnyImage],
        *,
        batch_size: int = BATCH_SIZE,
        workers: int = 0,
    ) -> np.ndarray:
        """Return the embeddings of images, (N, D) float32 of unit length.

        Args:
            images: Paths, images of Pillow, RGB arrays (H, W, 3) uint8 of any size, an array
                (N, H, W, 3), or an iterator over any of these; or one image alone.
            batch_size: Images in memory at a time.
            workers: Processes that read files ahead; worth it where a GPU computes.

        Raises:
            DatasetError: An image cannot be read.
        """
        batches = self.embed_batches(images, batch_size=batch_size, workers=workers)
        embeddings = [batch.embeddings for batch in batches]
        empty = np.empty((0, self.description.embedding_size), np.float32)
        return np.concatenate([empty, *embeddings])

    def embed_batches(
        self,
        images: AnyImage | Iterable[AnyImage],
        *,
        batch_size: int = BATCH_SIZE,
        workers: int = 0,
        skip_unreadable: bool = False,
    ) -> Iterator[EmbeddedBatch]:
        """Yield the embeddings of images batch by batch, in constant memory. See `embed`.

        Args:
            skip_unreadable: Leave out images that cannot be read, and name them in the batches.
        """
        reader = Reader(self.description.height, self.description.width, batch_size)
        for batch in reader.read(as_images(images), workers):
            if batch.unreadable and not skip_unreadable:
                raise DatasetError(next(iter(batch.unreadable.values())))
            yield EmbeddedBatch(batch.index, self._embed_pixels(batch), batch.unreadable)

    def _embed_pixels(self, batch: PixelBatch) -> np.ndarray:
        if not len(batch.index):  # some layers refuse an empty batch
            return np.empty((0, self.description.embedding_size), np.float32)
        with memory_limit(f"a batch of {len(batch.index)} images", "lower the batch size"):
            return self.embed_pixels(batch.pixels)

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Return the embeddings of pixels that have the model's size.

        Args:
            pixels: (B, height, width, 3) uint8 in RGB, with B > 0.

        Returns:
            (B, D) float32 of unit length.
        """
        return unit_length(self.backend(pixels))
