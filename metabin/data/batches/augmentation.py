"""Augmentation of training images, each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metabin.config import Augment
from metabin.data.batches.operations import Operation, apply_operations, draw_operations

if TYPE_CHECKING:
    from metabin.data.batches.colour_jitter import Colours

# Random erasing: share of the image, height / width, and attempts to fit a rectangle.
ERASED_AREA = (0.02, 0.33)
ERASED_RATIO = (0.3, 3.3)
ERASING_TRIES = 10
ERASED_COLOUR = np.array([124, 116, 104], np.uint8)  # 0 once normalised, to half a level


@dataclass(frozen=True, slots=True)
class Changes:
    """What happens to one image.

    Attributes:
        flipped: left to right.
        down, right: pixels that it is moved by within a black border, before it is flipped.
        colours: the changes of its colours.
        erased: the rows and columns of a rectangle that gets the mean colour.
        operations: of RandAugment, after the flip and before the colours.
    """

    flipped: bool
    down: int
    right: int
    colours: Colours | None = None
    erased: tuple[slice, slice] | None = None
    operations: tuple[Operation, ...] = ()


def draw_changes(
    num_images: int, height: int, width: int, random: np.random.Generator, settings: Augment
) -> list[Changes]:
    """Draw the changes of a batch of images of one size.

    An image is flipped with probability `flip`, gets a black border of `pad` pixels, is cropped
    back to its size at random, and then jittered and erased if the settings say so. Source: the
    reference's training transforms, in its order.
    """
    flipped = random.random(num_images) < settings.flip
    down, right = random.integers(0, 2 * settings.pad + 1, (2, num_images)) - settings.pad
    # The images are flipped last, so a flipped one is first shifted the other way.
    right = np.where(flipped, -right, right)
    colours: list[Colours | None] = [None] * num_images
    if settings.colour_jitter:
        # Imports numba, which takes half a second.
        from metabin.data.batches.colour_jitter import draw_colours

        colours = [draw_colours(random) for _ in range(num_images)]
    erased: list[tuple[slice, slice] | None] = [None] * num_images
    if settings.erasing:
        for index in np.flatnonzero(random.random(num_images) < settings.erasing):
            erased[index] = draw_rectangle(height, width, random)
    columns = (flipped.tolist(), down.tolist(), right.tolist(), colours, erased)
    changes = [Changes(*values) for values in zip(*columns, strict=True)]
    if settings.strong:
        return [draw_strong(change, height, width, random, settings.strong) for change in changes]
    return changes


def draw_strong(
    change: Changes, height: int, width: int, random: np.random.Generator, probability: float
) -> Changes:
    """Add strong changes, each with the same probability.

    These are two random operations of RandAugment, a wide change of colours, and a rectangle in the
    mean colour. Source: the strong view of BAU (Cho et al., NeurIPS 2024).
    """
    from metabin.data.batches.colour_jitter import draw_wide_colours

    added: dict[str, Any] = {}
    if random.random() < probability:
        added["operations"] = draw_operations(random)
    if random.random() < probability:
        added["colours"] = draw_wide_colours(random)
    if random.random() < probability:
        added["erased"] = draw_rectangle(height, width, random)
    return replace(change, **added)


def augment(images: Sequence[np.ndarray], changes: Sequence[Changes]) -> np.ndarray:
    """Return changed copies of images: B of (H, W, 3) uint8 -> (B, H, W, 3) uint8."""
    import torch

    batch: np.ndarray = np.zeros((len(images), *images[0].shape), np.uint8)
    for result, image, change in zip(batch, images, changes, strict=True):
        target_rows, source_rows = _overlap(image.shape[0], change.down)
        target_columns, source_columns = _overlap(image.shape[1], change.right)
        result[target_rows, target_columns] = image[source_rows, source_columns]
    flipped = np.array([change.flipped for change in changes])
    if flipped.any():
        # numpy's own flip is several times slower.
        batch[flipped] = torch.from_numpy(batch[flipped]).flip(2).numpy()
    for result, change in zip(batch, changes, strict=True):
        if change.operations:
            result[:] = apply_operations(result, change.operations)
        if change.colours:
            from metabin.data.batches.colour_jitter import change_colours

            change_colours(result, *change.colours)
        if change.erased:
            result[change.erased] = ERASED_COLOUR
    return batch


def draw_rectangle(
    height: int, width: int, random: np.random.Generator
) -> tuple[slice, slice] | None:
    """Draw the rows and columns to erase in an image; None if none of ten rectangles fits.

    Source: Zhong et al. 2020, as torchvision's RandomErasing with its ranges of area and of height
    / width.
    """
    for _ in range(ERASING_TRIES):
        area = height * width * random.uniform(*ERASED_AREA)
        ratio = np.exp(random.uniform(*np.log(ERASED_RATIO)))
        # rows * columns = area and rows / columns = ratio
        rows = round(np.sqrt(area * ratio))
        columns = round(np.sqrt(area / ratio))
        if rows < height and columns < width:
            top = random.integers(0, height - rows + 1)
            left = random.integers(0, width - columns + 1)
            return slice(top, top + rows), slice(left, left + columns)
    return None


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Return target and source pixels along one axis of an image that is shifted by `shift`."""
    target = slice(max(-shift, 0), size - max(shift, 0))
    source = slice(max(shift, 0), size - max(-shift, 0))
    return target, source
