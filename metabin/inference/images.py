"""Images in the forms that users have, as pixels of the size that a model expects."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from metabin.errors import ConfigError, DatasetError
from metabin.images import read_image, to_rgb

# A path of an image file, an image of Pillow, or the pixels of one, (H, W, 3) uint8 in RGB.
AnyImage = str | os.PathLike[str] | Image.Image | np.ndarray
EXPECTED = "expected are paths, images of Pillow, or RGB arrays (H, W, 3) of type uint8"


def as_images(images: AnyImage | Iterable[AnyImage]) -> Iterable[AnyImage]:
    """Return an iterable of images; a single image becomes a list of one.

    Raises:
        DatasetError: A folder instead of images, or an array of another shape.
    """
    if isinstance(images, str | os.PathLike):
        if Path(images).is_dir():
            raise DatasetError(
                f"{os.fspath(images)} is a folder; pass the paths of the images in it, "
                "for example sorted(Path(folder).glob('*.jpg'))"
            )
        return [images]
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim != 4:
        if images.ndim != 3:
            raise DatasetError(f"found an array of shape {images.shape}; {EXPECTED}")
        return [images]
    return images


def to_pixels(image: AnyImage, height: int, width: int) -> np.ndarray:
    """Return an image as (height, width, 3) uint8 in RGB, resized as `metabin.data.store` does.

    Raises:
        DatasetError: The image cannot be read, or is of another kind.
    """
    if isinstance(image, np.ndarray) and _is_ready(image, height, width):
        return image
    rgb = _to_pillow(image)
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(rgb)


def _is_ready(image: np.ndarray, height: int, width: int) -> bool:
    return image.shape == (height, width, 3) and image.dtype == np.uint8


def _to_pillow(image: AnyImage) -> Image.Image:
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    if isinstance(image, Image.Image):
        return to_rgb(image)
    if not isinstance(image, np.ndarray):
        raise DatasetError(f"found {type(image).__name__}; {EXPECTED}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise DatasetError(f"found an array of shape {image.shape}, {image.dtype}; {EXPECTED}")
    return Image.fromarray(image)


@dataclass(frozen=True, slots=True)
class PixelBatch:
    """Images in order, without those that cannot be read.

    Attributes:
        index: (B,) int64, the position of each image among all images, from 0.
        pixels: (B, height, width, 3) uint8.
        unreadable: Position -> name and reason, of the images that are left out.
    """

    index: np.ndarray
    pixels: np.ndarray
    unreadable: dict[int, str]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads images in batches of pixels of one size."""

    height: int
    width: int
    batch_size: int

    def read(self, images: Iterable[AnyImage], workers: int = 0) -> Iterator[PixelBatch]:
        """Yield batches, of at most `batch_size` images in memory at a time.

        Args:
            images: Images; an iterator is read as it goes.
            workers: Processes that read ahead, which needs a sequence of images; with 0 this
                process reads.

        Raises:
            ConfigError: Workers for an iterator.
        """
        if not workers:
            remaining = enumerate(images)
            while chunk := list(islice(remaining, self.batch_size)):
                yield self.read_chunk(chunk)
            return
        if not isinstance(images, Sequence | np.ndarray):
            raise ConfigError(
                f"workers is {workers}, which needs a list of images, and images is a "
                f"{type(images).__name__}; pass a list, or workers=0"
            )
        yield from DataLoader(
            _Chunks(self, images), batch_size=None, num_workers=workers, collate_fn=_unchanged
        )

    def read_chunk(self, chunk: Sequence[tuple[int, AnyImage]]) -> PixelBatch:
        """Return the images of some positions as a batch."""
        pixels = np.empty((len(chunk), self.height, self.width, 3), np.uint8)
        index = []
        unreadable = {}
        for position, image in chunk:
            try:
                pixels[len(index)] = to_pixels(image, self.height, self.width)
                index.append(position)
            except DatasetError as error:
                named = isinstance(image, str | os.PathLike)  # its message has the path
                unreadable[position] = str(error) if named else f"image {position}: {error}"
        return PixelBatch(np.array(index, np.int64), pixels[: len(index)], unreadable)


class _Chunks(Dataset):
    """The batches of a sequence of images, by their number."""

    def __init__(self, reader: Reader, images: Sequence[AnyImage] | np.ndarray) -> None:
        self.reader = reader
        self.images = images

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.reader.batch_size)

    def __getitem__(self, number: int) -> PixelBatch:
        start = number * self.reader.batch_size
        stop = min(start + self.reader.batch_size, len(self.images))
        return self.reader.read_chunk([(i, self.images[i]) for i in range(start, stop)])


def _unchanged(batch: Any) -> Any:
    return batch
