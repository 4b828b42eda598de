"""Augmentation of training images, each by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metabin.config import Augment

# Random erasing: share of the image, height / width, and attempts to fit a rectangle.
ERASED_AREA = (0.02, 0.33)
ERASED_RATIO = (0.3, 3.3)
ERASING_TRIES = 10
ERASED_COLOUR = np.array([124, 116, 104], np.uint8)  # 0 once normalised, to half a level


def augment(
    images: Sequence[np.ndarray], random: np.random.Generator, settings: Augment
) -> np.ndarray:
    """Flip, pad, crop, jitter and erase images at random.

    An image is flipped with probability `flip`, gets a black border of `pad` pixels, is cropped
    back to its size at random, and then jittered and erased if the settings say so. Source: the
    reference's training transforms, in its order.

    Shapes: B of (H, W, 3) uint8 -> (B, H, W, 3) uint8.
    """
    import torch

    flipped = random.random(len(images)) < settings.flip
    down, right = random.integers(0, 2 * settings.pad + 1, (2, len(images))) - settings.pad
    # The images are flipped last, so a flipped one is first shifted the other way.
    right = np.where(flipped, -right, right)
    batch: np.ndarray = np.zeros((len(images), *images[0].shape), np.uint8)
    for result, image, y, x in zip(batch, images, down, right, strict=True):
        target_rows, source_rows = _overlap(image.shape[0], y)
        target_columns, source_columns = _overlap(image.shape[1], x)
        result[target_rows, target_columns] = image[source_rows, source_columns]
    if flipped.any():
        # numpy's own flip is several times slower.
        batch[flipped] = torch.from_numpy(batch[flipped]).flip(2).numpy()
    if settings.colour_jitter:
        # Imports numba, which takes half a second.
        from metabin.data.batches.colour_jitter import jitter

        for image in batch:
            jitter(image, random)
    if settings.erasing:
        for index in np.flatnonzero(random.random(len(batch)) < settings.erasing):
            erase(batch[index], random)
    return batch


def erase(image: np.ndarray, random: np.random.Generator) -> None:
    """Overwrite a random rectangle of an (H, W, 3) uint8 image with the mean colour.

    The image stays as it is if none of ten rectangles fits. Source: Zhong et al. 2020, as
    torchvision's RandomErasing with its ranges of area and of height / width.
    """
    height, width, _ = image.shape
    for _ in range(ERASING_TRIES):
        area = height * width * random.uniform(*ERASED_AREA)
        ratio = np.exp(random.uniform(*np.log(ERASED_RATIO)))
        # rows * columns = area and rows / columns = ratio
        rows = round(np.sqrt(area * ratio))
        columns = round(np.sqrt(area / ratio))
        if rows < height and columns < width:
            top = random.integers(0, height - rows + 1)
            left = random.integers(0, width - columns + 1)
            image[top : top + rows, left : left + columns] = ERASED_COLOUR
            return


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Return target and source pixels along one axis of an image that is shifted by `shift`."""
    target = slice(max(-shift, 0), size - max(shift, 0))
    source = slice(max(shift, 0), size - max(-shift, 0))
    return target, source
