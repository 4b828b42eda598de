"""What the forms share: the picture that they all show, and how it is saved."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

LOSSY = 6.0  # mean absolute difference in grey levels that a compressed form may have
HEIGHT, WIDTH = 24, 16


@dataclass(frozen=True)
class Form:
    """A file with its expected `pixels`, (H, W, 3) uint8, or the `refusal`'s words.

    `tolerance`: the mean absolute difference to the pixels that is permitted.
    """

    name: str
    file: str
    content: bytes
    pixels: np.ndarray | None = None
    tolerance: float = 0.0
    refusal: str = ""


def picture() -> np.ndarray:
    """A smooth picture whose four corners and two sides differ, so that no turn or flip leaves it alone."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    red, green = 40 + 8 * row, 30 + 12 * column
    return np.stack([red, green, (red + 2 * green) // 4], axis=-1).astype(np.uint8)


RGB = picture()
GREY = RGB[..., 0]
ALPHA = np.where(np.arange(WIDTH) < WIDTH // 2, 255, 64).astype(np.uint8) * np.ones((HEIGHT, 1), np.uint8)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=-1)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    part = alpha[..., None] / 255
    return np.rint(rgb * part + 255 * (1 - part)).astype(np.uint8)


def saved(pixels: np.ndarray | Image.Image, kind: str, mode: str | None = None, **options) -> bytes:
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    content = io.BytesIO()
    (image.convert(mode) if mode else image).save(content, kind, **options)
    return content.getvalue()


def jpeg(pixels: np.ndarray | Image.Image, **options) -> bytes:
    return saved(pixels, "JPEG", quality=95, subsampling=0, **options)


def palette(number: int = 16) -> tuple[Image.Image, np.ndarray]:
    """An image with a palette, and its colours."""
    indexed = np.minimum(np.arange(HEIGHT)[:, None] * number // HEIGHT + np.zeros((1, WIDTH), int), number - 1)
    table = np.stack([np.arange(number) * 13 + 20, 255 - np.arange(number) * 11, np.arange(number) * 5], axis=-1)
    image = Image.fromarray(indexed.astype(np.uint8), "P")
    image.putpalette(table.astype(np.uint8).tobytes())
    return image, table.astype(np.uint8)[indexed]
