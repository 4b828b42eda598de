"""From stored images to an augmented batch of 64, 256x128: against PIL and torchvision, one image after the other.

Ours reads the resized pixels that the partition stage has stored; the other side opens JPEGs of Market-1501's size,
or, in the row that says so, starts from the same stored pixels.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import pairs

NUM_IMAGES, BATCH, HEIGHT, WIDTH, PAD = 2_048, 64, 256, 128, 10
GOAL = 5
FLIP_AND_CROP, JITTERED, ERASED = "flip, pad, crop", "with colour jitter", "with erasing"


def rows() -> Iterator[pairs.Row]:
    for what, start, goal in (
        (FLIP_AND_CROP, "jpegs", GOAL),
        (FLIP_AND_CROP, "pixels", None),
        (JITTERED, "jpegs", None),
        (ERASED, "jpegs", None),
    ):
        yield pairs.apart(
            f"batch of {BATCH}: {what}",
            f"PIL and torchvision from {'JPEGs' if start == 'jpegs' else 'the same pixels'}",
            "benchmarks.loading",
            f"ours:{what}",
            f"per_sample:{what}:{start}",
            repeats=9,
            goal=goal,
        )[0]


def ours(what: str) -> Callable[[], None]:
    """Batches of random rows of stored pixels."""
    import torch

    from metabin.config import Augment
    from metabin.data.batches.loading import ImageSet, training_batch

    torch.set_num_threads(1)
    zeros = np.zeros(NUM_IMAGES, np.int64)
    data = ImageSet((stored(),), zeros, np.arange(NUM_IMAGES), zeros, zeros, zeros, zeros, ("random",))
    settings = Augment(flip=0.5, pad=PAD, colour_jitter=what == JITTERED, erasing=0.5 * (what == ERASED))
    random = np.random.default_rng(0)

    def run() -> None:
        training_batch(data, random.integers(0, NUM_IMAGES, BATCH), random, settings, torch.device("cpu"))

    return run


def per_sample(what: str, start: str) -> Callable[[], None]:
    """Batches as a data set with torchvision's transforms and the default collation makes them."""
    import torch
    from PIL import Image
    from torch.utils.data import default_collate
    from torchvision import transforms as T

    from metabin.data.batches.augmentation import BRIGHTNESS, CONTRAST, HUE, SATURATION

    torch.set_num_threads(1)
    resize = [T.Resize((HEIGHT, WIDTH), T.InterpolationMode.BICUBIC)] if start == "jpegs" else []
    crop = [T.RandomHorizontalFlip(), T.Pad(PAD), T.RandomCrop((HEIGHT, WIDTH))]
    jitter = [T.ColorJitter(BRIGHTNESS, CONTRAST, SATURATION, HUE)] if what == JITTERED else []
    normal = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    erasing = [T.RandomErasing(0.5)] if what == ERASED else []
    transform = T.Compose([*resize, *crop, *jitter, *normal, *erasing])
    random = np.random.default_rng(0)
    files, pixels = [jpeg(random) for _ in range(NUM_IMAGES)], stored()

    def image(index: int) -> Image.Image:
        return Image.open(io.BytesIO(files[index])).convert("RGB") if resize else Image.fromarray(pixels[index])

    def run() -> None:
        default_collate([transform(image(index)) for index in random.integers(0, NUM_IMAGES, BATCH)])

    return run


def stored() -> np.ndarray:
    """Random pixels, mapped from a file that is gone when the process is."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        np.save(path, random.integers(0, 256, (NUM_IMAGES, HEIGHT, WIDTH, 3), np.uint8))
        return np.load(path, mmap_mode="r")


def jpeg(random: np.random.Generator) -> bytes:
    """A smooth picture of 128x64 as a file."""
    from PIL import Image

    content = io.BytesIO()
    small = Image.fromarray(random.integers(0, 255, (16, 8, 3), np.uint8))
    small.resize((64, 128)).save(content, "JPEG", quality=90)
    return content.getvalue()


if __name__ == "__main__":
    pairs.main(rows)
