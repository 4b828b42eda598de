"""The random operations of RandAugment, each computed by Pillow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

NUM_OPERATIONS = 2  # of an image


class Operation(NamedTuple):
    """An operation and its magnitude, with its sign."""

    name: str
    magnitude: float


def _shear_x(image: Image.Image, tangent: float) -> Image.Image:
    return _affine(image, (1, tangent, 0, 0, 1, 0))


def _shear_y(image: Image.Image, tangent: float) -> Image.Image:
    return _affine(image, (1, 0, 0, tangent, 1, 0))


def _translate_x(image: Image.Image, share: float) -> Image.Image:
    return _affine(image, (1, 0, share * image.width, 0, 1, 0))


def _translate_y(image: Image.Image, share: float) -> Image.Image:
    return _affine(image, (1, 0, 0, 0, 1, share * image.height))


def _affine(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    """Return an image whose pixel (x, y) is that at (a x + b y + c, d x + e y + f), or black."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees)


def _posterize(image: Image.Image, bits: float) -> Image.Image:
    return ImageOps.posterize(image, int(bits))


def _solarize(image: Image.Image, threshold: float) -> Image.Image:
    return ImageOps.solarize(image, int(threshold))


def _brightness(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1 + change)


def _contrast(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(1 + change)


def _saturation(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Color(image).enhance(1 + change)


def _sharpness(image: Image.Image, change: float) -> Image.Image:
    return ImageEnhance.Sharpness(image).enhance(1 + change)


def _autocontrast(image: Image.Image, _: float) -> Image.Image:
    return ImageOps.autocontrast(image)


def _equalize(image: Image.Image, _: float) -> Image.Image:
    return ImageOps.equalize(image)


def _identity(image: Image.Image, _: float) -> Image.Image:
    return image


# Each operation with its magnitude 10 of 30, and whether the sign of that is random.
OPERATIONS: dict[str, tuple[Callable[[Image.Image, float], Image.Image], float, bool]] = {
    "identity": (_identity, 0.0, False),
    "shear_x": (_shear_x, 0.1, True),
    "shear_y": (_shear_y, 0.1, True),
    "translate_x": (_translate_x, 0.15, True),
    "translate_y": (_translate_y, 0.15, True),
    "rotate": (_rotate, 10.0, True),
    "brightness": (_brightness, 0.3, True),
    "contrast": (_contrast, 0.3, True),
    "saturation": (_saturation, 0.3, True),
    "sharpness": (_sharpness, 0.3, True),
    "posterize": (_posterize, 7, False),
    "solarize": (_solarize, 170, False),
    "autocontrast": (_autocontrast, 0.0, False),
    "equalize": (_equalize, 0.0, False),
}


def draw_operations(random: np.random.Generator) -> tuple[Operation, ...]:
    """Draw the operations of an image, with repeats.

    Source: Cubuk et al., RandAugment, 2020, with the number and the magnitude of BAU.
    """
    names = list(OPERATIONS)
    drawn = []
    for choice in random.integers(len(names), size=NUM_OPERATIONS):
        _, magnitude, has_sign = OPERATIONS[names[choice]]
        is_negative = has_sign and random.random() < 0.5
        drawn.append(Operation(names[choice], -magnitude if is_negative else magnitude))
    return tuple(drawn)


def apply_operations(pixels: np.ndarray, operations: Sequence[Operation]) -> np.ndarray:
    """Return an image after operations in order, (H, W, 3) uint8 -> (H, W, 3) uint8."""
    image = Image.fromarray(pixels)
    for name, magnitude in operations:
        apply, *_ = OPERATIONS[name]
        image = apply(image, magnitude)
    return np.asarray(image)
