"""Common parts of the forms: the picture that they all have, and how it is saved."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

LOSSY = 6.0  # mean absolute difference in grey levels that a compressed form may have
HEIGHT = 24
WIDTH = 16


@dataclass(frozen=True)
class Form:
    """An image file with its expected pixels or refusal.

    Attributes:
        name: Name of the form.
        file: File name.
        content: Bytes of the file.
        pixels: Expected pixels, (H, W, 3) uint8; None if the file is refused.
        tolerance: Permitted mean absolute difference to the pixels.
        refusal: Regular expression of the error's message.
    """

    name: str
    file: str
    content: bytes
    pixels: np.ndarray | None = None
    tolerance: float = 0.0
    refusal: str = ""


def picture() -> np.ndarray:
    """Return a smooth picture with different corners and sides: every turn or flip changes it."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    red = 40 + 8 * row
    green = 30 + 12 * column
    return np.stack([red, green, (red + 2 * green) // 4], axis=-1).astype(np.uint8)


RGB = picture()
GREY = RGB[..., 0]
# The left half is opaque, the right half has alpha 64.
ALPHA_ROW = np.where(np.arange(WIDTH) < WIDTH // 2, 255, 64).astype(np.uint8)
ALPHA = ALPHA_ROW * np.ones((HEIGHT, 1), np.uint8)


def grey(values: np.ndarray) -> np.ndarray:
    """Return grey values (H, W) as RGB."""
    return np.repeat(values[..., None], 3, axis=-1)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return RGB over white: rgb a + 255 (1 - a), with a = alpha / 255."""
    part = alpha[..., None] / 255
    return np.rint(rgb * part + 255 * (1 - part)).astype(np.uint8)


def saved(pixels: np.ndarray | Image.Image, kind: str, mode: str | None = None, **options) -> bytes:
    """Return the bytes of pixels saved by Pillow in a format, after conversion to a mode."""
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    content = io.BytesIO()
    (image.convert(mode) if mode else image).save(content, kind, **options)
    return content.getvalue()


def jpeg(pixels: np.ndarray | Image.Image, **options) -> bytes:
    """Return the bytes of pixels saved as a JPEG of high quality."""
    return saved(pixels, "JPEG", quality=95, subsampling=0, **options)


def palette(number: int = 16) -> tuple[Image.Image, np.ndarray]:
    """Return an image with a palette, and its colours."""
    row = np.arange(HEIGHT)[:, None] * number // HEIGHT
    indexed = np.minimum(row + np.zeros((1, WIDTH), int), number - 1)
    index = np.arange(number)
    table = np.stack([index * 13 + 20, 255 - index * 11, index * 5], axis=-1)
    image = Image.fromarray(indexed.astype(np.uint8), "P")
    image.putpalette(table.astype(np.uint8).tobytes())
    return image, table.astype(np.uint8)[indexed]
