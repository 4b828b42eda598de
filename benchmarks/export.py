"""Embedding of images by an exported model in ONNX Runtime, against PyTorch.

The networks have random weights, and rho differ per channel, so that no norm can be folded into a
convolution. Both sides take pixels in batches and run on one thread of the CPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import pairs

if TYPE_CHECKING:
    from metabin.model.embedder import Embedder

# Backbone -> height and width of its images, and images of a batch.
NETWORKS = {
    "resnet_small": (64, 32, 128),
    "mobilenetv2_1.0": (256, 128, 16),
    "resnet50": (256, 128, 16),
}


def rows() -> Iterator[pairs.Row]:
    with tempfile.TemporaryDirectory() as folder:
        for backbone, (height, width, batch) in NETWORKS.items():
            path = Path(folder) / f"{backbone}.onnx"
            weights = path.with_suffix(".safetensors")
            write_files(backbone, path, weights)
            what = f"{backbone}, {height}x{width}"
            seconds, _ = pairs.compare_processes(
                f"{what}: embed {batch} images in ONNX Runtime",
                "PyTorch",
                "benchmarks.export",
                f"exported:{backbone}:{path}",
                f"in_pytorch:{backbone}",
                warm_ups=1,
                repeats=7,
            )
            yield speed_row(f"{what}: images per second in ONNX Runtime", batch, seconds)
            ours = path.stat().st_size / 1e6
            other = weights.stat().st_size / 1e6
            name = f"{what}: size of the ONNX file"
            yield pairs.Row(name, "model.safetensors", ours, other, "MB", other / ours)


def speed_row(what: str, batch: int, seconds: pairs.Row) -> pairs.Row:
    """Return the row of the images per second, given that of the seconds per batch."""
    ours = batch / seconds.ours
    other = batch / seconds.other
    return pairs.Row(what, seconds.against, ours, other, "images/s", seconds.ratio)


def write_files(backbone: str, path: Path, weights: Path) -> None:
    """Write a model as an ONNX file, and its weights."""
    from benchmarks.descriptions import description_of
    from metabin.export.onnx_file import export_onnx
    from metabin.model.weights import save_weights

    network = network_of(backbone)
    save_weights(weights, network)
    export_onnx(network, description_of(backbone, *NETWORKS[backbone][:2]), path)


def exported(backbone: str, path: str) -> Callable[[], object]:
    """Return a function that embeds a batch by an ONNX file."""
    from metabin.export.onnx_backend import OnnxBackend

    backend = OnnxBackend(Path(path), num_threads=1)
    pixels = pixels_of(backbone)
    return lambda: backend(pixels)


def in_pytorch(backbone: str) -> Callable[[], object]:
    """Return a function that embeds a batch by the network itself."""
    import torch

    from metabin.inference.model import TorchBackend

    backend = TorchBackend(network_of(backbone), torch.device("cpu"))
    pixels = pixels_of(backbone)
    return lambda: backend(pixels)


def pixels_of(backbone: str) -> np.ndarray:
    """Return a batch of random pixels."""
    height, width, batch = NETWORKS[backbone]
    return np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)


def network_of(backbone: str) -> Embedder:
    """Return a network with random weights and random rho."""
    import torch

    from benchmarks.descriptions import description_of
    from metabin.model.norm import rho_of
    from metabin.model.weights import build_described

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build_described(description_of(backbone, *NETWORKS[backbone][:2])).eval()
    for value in rho_of(network).values():
        torch.nn.init.uniform_(value)
    return network


if __name__ == "__main__":
    pairs.main(rows)
