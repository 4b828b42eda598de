"""What is done to training images, each by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metabin.config import Augment

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.15, 0.15, 0.1, 0.1  # the reference's jitter, with a single source
ERASED_AREA, ERASED_RATIO, ERASING_TRIES = (0.02, 0.33), (0.3, 3.3), 10
ERASED_COLOUR = np.array([124, 116, 104], np.uint8)  # 0 once normalised, to half a level


def augment(images: Sequence[np.ndarray], random: np.random.Generator, settings: Augment) -> np.ndarray:
    """A flip with probability `flip`, a black border of `pad` pixels, a random crop back, jitter, an erased rectangle.

    Shapes: B of (H, W, 3) uint8 -> (B, H, W, 3) uint8. Source: the reference's training transforms, in its order.
    """
    import torch

    flipped = random.random(len(images)) < settings.flip
    down, right = random.integers(0, 2 * settings.pad + 1, (2, len(images))) - settings.pad
    shown: np.ndarray = np.zeros((len(images), *images[0].shape), np.uint8)
    for result, image, y, x in zip(shown, images, down, np.where(flipped, -right, right), strict=True):
        (to_rows, rows), (to_columns, columns) = (_overlap(*sizes) for sizes in zip(image.shape, (y, x), strict=False))
        result[to_rows, to_columns] = image[rows, columns]
    if flipped.any():
        shown[flipped] = torch.from_numpy(shown[flipped]).flip(2).numpy()  # numpy's own is several times slower
    if settings.colour_jitter:
        shown = np.stack([jitter(image, random) for image in shown])
    if settings.erasing:
        for index in np.flatnonzero(random.random(len(shown)) < settings.erasing):
            erase(shown[index], random)
    return shown


def erase(image: np.ndarray, random: np.random.Generator) -> None:
    """Overwrite a random rectangle of an (H, W, 3) uint8 image with the mean colour.

    Source: Zhong et al. 2020, as torchvision's RandomErasing with its ranges of area and of height over width; the
    image stays as it is where ten rectangles in turn did not fit.
    """
    height, width, _ = image.shape
    for _ in range(ERASING_TRIES):
        area = height * width * random.uniform(*ERASED_AREA)
        ratio = np.exp(random.uniform(*np.log(ERASED_RATIO)))
        rows, columns = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if rows < height and columns < width:
            top, left = random.integers(0, height - rows + 1), random.integers(0, width - columns + 1)
            image[top : top + rows, left : left + columns] = ERASED_COLOUR
            return


def jitter(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and hue, each changed by a random factor, in random order.

    Shapes: (H, W, 3) uint8 -> the same. Source: torchvision's ColorJitter of PIL images, with the reference's ranges.
    """
    from PIL import Image
    from torchvision.transforms.v2 import functional as F  # costs seconds to import; most trainings do without

    changes = [
        (F.adjust_brightness, 1 + random.uniform(-BRIGHTNESS, BRIGHTNESS)),
        (F.adjust_contrast, 1 + random.uniform(-CONTRAST, CONTRAST)),
        (F.adjust_saturation, 1 + random.uniform(-SATURATION, SATURATION)),
        (F.adjust_hue, random.uniform(-HUE, HUE)),
    ]
    picture = Image.fromarray(image)  # in a third of the time that tensors take
    for index in random.permutation(len(changes)):
        change, amount = changes[index]
        picture = change(picture, amount)
    return np.asarray(picture)


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Where pixels `shift` further on are shown, and which these are."""
    return slice(max(-shift, 0), size - max(shift, 0)), slice(max(shift, 0), size - max(-shift, 0))
