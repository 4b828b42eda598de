"""Loading of an augmented batch of 64 images of 256x128, against PIL and torchvision.

Ours reads the resized pixels that the partition stage stores. The other side loads one image after
the other: from JPEGs of Market-1501's size, or from the same stored pixels in the row with that
name. torchreid's transforms take part where they are installed; see `benchmarks.packages`.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import pairs
from benchmarks.packages import TORCHREID, load_module

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

NUM_IMAGES = 2_048
BATCH = 64
HEIGHT = 256
WIDTH = 128
PAD = 10
GOAL = 5
JITTER_GOAL = 3
# Brightness, contrast, saturation and hue: half-widths of the reference's ranges.
JITTER = (0.15, 0.15, 0.1, 0.1)
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
FLIP_AND_CROP = "flip, pad, crop"
JITTERED = "with colour jitter"
ERASED = "with erasing"
TRANSFORMS = "data/transforms.py"  # torchreid's file


def rows() -> Iterator[pairs.Row]:
    for what, start, goal in (
        (FLIP_AND_CROP, "jpegs", GOAL),
        (FLIP_AND_CROP, "pixels", None),
        (JITTERED, "jpegs", None),
        (ERASED, "jpegs", None),
    ):
        yield pairs.compare_processes(
            f"batch of {BATCH}: {what}",
            f"PIL and torchvision from {'JPEGs' if start == 'jpegs' else 'the same pixels'}",
            "benchmarks.loading",
            f"ours:{what}",
            f"per_sample:{what}:{start}",
            repeats=9,
            goal=goal,
        )[0]
    if load_module(TORCHREID, TRANSFORMS):
        yield pairs.compare_processes(
            f"batch of {BATCH}: {JITTERED}",
            "torchreid's transforms from JPEGs, brightness and contrast alone",
            "benchmarks.loading",
            f"ours:{JITTERED}",
            "torchreid",
            repeats=9,
            goal=JITTER_GOAL,
        )[0]


def ours(what: str) -> Callable[[], None]:
    """Return a function that loads a batch of random rows of the stored pixels."""
    import torch

    from metabin.config import Augment
    from metabin.data.batches.loading import ImageSet, load_batch

    torch.set_num_threads(1)
    zeros = np.zeros(NUM_IMAGES, np.int64)
    rows = np.arange(NUM_IMAGES)
    data = ImageSet((stored(),), zeros, rows, zeros, zeros, zeros, zeros, ("random",))
    settings = Augment(
        flip=0.5,
        pad=PAD,
        colour_jitter=what == JITTERED,
        erasing=0.5 if what == ERASED else 0.0,
        strong=0.0,
        amplitude_mix=0.0,
    )
    random = np.random.default_rng(0)
    device = torch.device("cpu")

    def run() -> None:
        index = random.integers(0, NUM_IMAGES, BATCH)
        load_batch(data, index, random, settings).to(device)

    return run


def per_sample(what: str, start: str) -> Callable[[], None]:
    """Return a function that loads a batch by torchvision's transforms and the default collation.

    Args:
        start: "jpegs" or "pixels".
    """
    from torchvision import transforms as T

    from_jpegs = start == "jpegs"
    resize = [T.Resize((HEIGHT, WIDTH), T.InterpolationMode.BICUBIC)] if from_jpegs else []
    crop = [T.RandomHorizontalFlip(), T.Pad(PAD), T.RandomCrop((HEIGHT, WIDTH))]
    jitter = [T.ColorJitter(*JITTER)] if what == JITTERED else []
    normal = [T.ToTensor(), T.Normalize(MEAN, STD)]
    erasing = [T.RandomErasing(0.5)] if what == ERASED else []
    transform = T.Compose([*resize, *crop, *jitter, *normal, *erasing])
    return collating(transform, from_jpegs)


def torchreid() -> Callable[[], None]:
    """Return a function that loads a batch by torchreid's transforms and the default collation.

    They flip, crop, and change brightness and contrast.
    """
    module = load_module(TORCHREID, TRANSFORMS)
    assert module
    names = ["random_flip", "random_crop", "color_jitter"]
    with contextlib.redirect_stdout(sys.stderr):  # torchreid prints what it builds
        transform, _ = module.build_transforms(HEIGHT, WIDTH, names, list(MEAN), list(STD))
    return collating(transform, from_jpegs=True)


def collating(transform: Callable[[Image.Image], Tensor], from_jpegs: bool) -> Callable[[], None]:
    """Return a function that transforms random images one by one and collates them."""
    import torch
    from PIL import Image
    from torch.utils.data import default_collate

    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    files = [jpeg(random) for _ in range(NUM_IMAGES)]
    pixels = stored()

    def image(index: int) -> Image.Image:
        if from_jpegs:
            return Image.open(io.BytesIO(files[index]), formats=("JPEG",)).convert("RGB")
        return Image.fromarray(pixels[index])

    def run() -> None:
        indices = random.integers(0, NUM_IMAGES, BATCH)
        default_collate([transform(image(index)) for index in indices])

    return run


def stored() -> np.ndarray:
    """Return random pixels, mapped from a file as the stored ones are."""
    random = np.random.default_rng(0)
    # The file is deleted here; the system frees its pages when the process ends.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        np.save(path, random.integers(0, 256, (NUM_IMAGES, HEIGHT, WIDTH, 3), np.uint8))
        return np.load(path, mmap_mode="r")


def jpeg(random: np.random.Generator) -> bytes:
    """Return a smooth picture of 128x64 pixels as the content of a JPEG file."""
    from PIL import Image

    content = io.BytesIO()
    small = Image.fromarray(random.integers(0, 255, (16, 8, 3), np.uint8))
    small.resize((64, 128)).save(content, "JPEG", quality=90)
    return content.getvalue()


if __name__ == "__main__":
    pairs.main(rows)
