"""What is done to training images, each by itself."""

from __future__ import annotations

import numpy as np

from metabin.config import Augment

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.15, 0.15, 0.1, 0.1  # the reference's jitter, with a single source


def augment(images: np.ndarray, random: np.random.Generator, settings: Augment) -> np.ndarray:
    """A flip with probability `flip`, a black border of `pad` pixels, a random crop back, and a jitter of the colours.

    Shapes: (B, H, W, 3) uint8 -> the same. Source: the reference's training transforms, in its order.
    """
    _, height, width, _ = images.shape
    flipped = random.random(len(images)) < settings.flip
    images = np.where(flipped[:, None, None, None], images[:, :, ::-1], images)
    padded = np.pad(images, ((0, 0), (settings.pad, settings.pad), (settings.pad, settings.pad), (0, 0)))
    top, left = random.integers(0, 2 * settings.pad + 1, (2, len(images)))
    cropped = np.stack([image[y : y + height, x : x + width] for image, y, x in zip(padded, top, left, strict=True)])
    return np.stack([jitter(image, random) for image in cropped]) if settings.colour_jitter else cropped


def jitter(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and hue, each changed by a random factor, in random order.

    Shapes: (H, W, 3) uint8 -> the same. Source: torchvision's ColorJitter with the reference's ranges.
    """
    import torch
    from torchvision.transforms.v2 import functional as F  # costs seconds to import; most trainings do without

    changes = [
        (F.adjust_brightness, 1 + random.uniform(-BRIGHTNESS, BRIGHTNESS)),
        (F.adjust_contrast, 1 + random.uniform(-CONTRAST, CONTRAST)),
        (F.adjust_saturation, 1 + random.uniform(-SATURATION, SATURATION)),
        (F.adjust_hue, random.uniform(-HUE, HUE)),
    ]
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    for index in random.permutation(len(changes)):
        change, amount = changes[index]
        tensor = change(tensor, amount)
    return tensor.permute(1, 2, 0).numpy()
