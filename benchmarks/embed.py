"""Embedding of images by `metabin.load(...).embed`, against the forward pass of the network alone.

The networks have random weights. The images are smooth pictures, as arrays of the model's size or
as JPEG files of 128x64 pixels, which are decoded and resized.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import pairs
from benchmarks.loading import jpeg

if TYPE_CHECKING:
    from torch import Tensor

    from metabin.inference.model import ReIDModel

# Backbone -> height and width of its images, and images of a run.
NETWORKS = {"resnet50": (256, 128, 32), "resnet_small": (64, 32, 512)}
# Backbone, kind of images, and the other side. Pillow takes about as long as the small network.
CASES = (
    ("resnet50", "arrays", "forward"),
    ("resnet50", "files", "forward"),
    ("resnet_small", "arrays", "forward"),
    ("resnet_small", "files", "read_and_forward"),
)
AGAINST = {
    "forward": "the forward pass alone",
    "read_and_forward": "Pillow's reading and resizing, and the forward pass",
}
NUM_FILES = 1_000
# Of the row of the memory: the files, each many times, at a size that takes little time.
NUM_IMAGES = 100_000
SMALL = {"height": 32, "width": 16}
GOAL = 0.9
MAX_GROWTH = 0.2  # GB


def rows() -> Iterator[pairs.Row]:
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        for backbone, kind, other in CASES:
            height, width, num_images = NETWORKS[backbone]
            yield pairs.compare_processes(
                f"{backbone}, {height}x{width}: embed {num_images} images from {kind}",
                AGAINST[other],
                "benchmarks.embed",
                f"embed:{backbone}:{kind}:{folder}",
                f"{other}:{backbone}:{folder}",
                warm_ups=1,
                repeats=5,
                goal=GOAL,
            )[0]
        yield growth(Path(folder))


def write_files(folder: Path) -> None:
    """Write a folder of JPEG files, and a list of `NUM_IMAGES` images of them."""
    random = np.random.default_rng(0)
    names = [f"{number:05d}.jpg" for number in range(NUM_FILES)]
    for name in names:
        (folder / name).write_bytes(jpeg(random))
    lines = (names[number % NUM_FILES] for number in range(NUM_IMAGES))
    (folder / "list.txt").write_text("\n".join(lines))


def model_of(backbone: str) -> ReIDModel:
    """Return a model with random weights."""
    import torch

    from benchmarks.descriptions import description_of
    from metabin.inference.model import ReIDModel, TorchBackend
    from metabin.model.weights import build_described

    torch.set_num_threads(1)
    torch.manual_seed(0)
    height, width, _ = NETWORKS[backbone]
    description = description_of(backbone, height, width)
    network = build_described(description).eval()
    return ReIDModel(description, TorchBackend(network, torch.device("cpu")))


def embed(backbone: str, kind: str, folder: str) -> Callable[[], object]:
    """Return a function that embeds images.

    Args:
        kind: "arrays" or "files".
        folder: Folder of the files.
    """
    model = model_of(backbone)
    images = arrays(backbone) if kind == "arrays" else files(backbone, folder)
    return lambda: model.embed(images)


def forward(backbone: str, _: str) -> Callable[[], object]:
    """Return a function that passes batches of floats through the network."""
    import torch

    from metabin.data.batches.loading import normalise

    pass_batches = forward_pass(backbone)
    images = normalise(torch.from_numpy(arrays(backbone)))
    return lambda: pass_batches(images)


def read_and_forward(backbone: str, folder: str) -> Callable[[], object]:
    """Return a function that also reads the images by Pillow alone, without checks."""
    import torch
    from PIL import Image

    from metabin.data.batches.loading import normalise

    height, width, _ = NETWORKS[backbone]
    pass_batches = forward_pass(backbone)

    def read(path: Path) -> np.ndarray:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            rgb = image.convert("RGB")
        return np.asarray(rgb.resize((width, height), Image.Resampling.BICUBIC))

    def run() -> object:
        pixels = np.stack([read(path) for path in files(backbone, folder)])
        return pass_batches(normalise(torch.from_numpy(pixels)))

    return run


def forward_pass(backbone: str) -> Callable[[Tensor], list[Tensor]]:
    """Return a function that passes images (N, 3, H, W) through the network in batches."""
    from metabin.inference.model import BATCH_SIZE, TorchBackend

    backend = model_of(backbone).backend
    assert isinstance(backend, TorchBackend)
    network = backend.network
    return lambda images: [network.embed(batch) for batch in images.split(BATCH_SIZE)]


def arrays(backbone: str) -> np.ndarray:
    """Return random pixels, (N, H, W, 3) uint8."""
    height, width, num_images = NETWORKS[backbone]
    random = np.random.default_rng(0)
    return random.integers(0, 256, (num_images, height, width, 3), np.uint8)


def files(backbone: str, folder: str) -> list[Path]:
    """Return the paths of as many images."""
    return sorted(Path(folder).glob("*.jpg"))[: NETWORKS[backbone][2]]


def growth(folder: Path) -> pairs.Row:
    """Measure the growth of the memory of `metabin embed` after the first tenth of the images."""
    from benchmarks.descriptions import description_of
    from metabin.model.weights import build_described, save_model

    description = description_of("resnet_small", 64, 32).model_copy(update=SMALL)
    save_model(folder / "model", build_described(description), description)
    command = [sys.executable, "-m", "metabin.commands", "embed"]
    arguments = [folder / "model", folder / "list.txt", "--output", folder / "embeddings"]
    process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    # The command prints a line at each tenth of the images.
    peaks = [pairs.status("VmHWM", process.pid) for line in process.stderr if "images" in line]
    assert process.wait() == 0
    print("peak memory at each tenth, MB:", *(peak // 1_000_000 for peak in peaks), file=sys.stderr)
    grown = max(peaks[-1] - peaks[0], 1) / 1e9
    return pairs.Row(
        f"{NUM_IMAGES:,} images: growth of the peak memory after {NUM_IMAGES // 10:,}",
        "the limit",
        grown,
        MAX_GROWTH,
        "GB",
        MAX_GROWTH / grown,
        goal=1,
    )


if __name__ == "__main__":
    pairs.main(rows)
