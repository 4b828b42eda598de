"""The device and the sizes of a run, random batches of these sizes, and the timing of work."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch.optim import SGD

from metabin import compute
from metabin.config import Compute
from metabin.model.embedder import Embedder, build_embedder
from metabin.model.norm import is_rho, rho_of
from metabin.types import Batch

Precision = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the work.

    Attributes:
        backbones: of the measured steps.
        num_classes: training identities.
        height, width: of the images, in pixels.
        ids_per_domain, images_per_id: of a batch.
        seconds: that one measurement repeats its work for.
        matrix: rows and columns of the matrices that measure the peak of the arithmetic.
        copied: numbers in the tensor that measures the bandwidth of the memory.
    """

    backbones: tuple[str, ...]
    num_classes: int
    height: int
    width: int
    ids_per_domain: int
    images_per_id: int
    seconds: float
    matrix: int
    copied: int


# The batches of the paper: 5 domains x 4 identities x 4 images = 80.
FULL = Sizes(("resnet50", "mobilenetv2_1.4"), 18_530, 256, 128, 4, 4, 1.5, 8192, 1 << 28)
# Everything small: the way the tests run the command on a CPU.
SMALL = Sizes(("resnet_small",), 50, 32, 16, 2, 2, 0.01, 128, 1 << 16)
NUM_DOMAINS = 5  # of the paper's sources ...
NUM_META_TRAIN = 3  # ... and of these in meta-train


class Timing(NamedTuple):
    """Milliseconds of one run of some work."""

    total: float  # until the device has finished
    host: float  # until the host has launched everything


@dataclass(frozen=True, slots=True)
class Setting:
    """The device and the sizes of a run."""

    device: torch.device
    small: bool

    @property
    def sizes(self) -> Sizes:
        """The sizes of all parts."""
        return SMALL if self.small else FULL

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions that are measured; a CPU takes long in bfloat16."""
        return PRECISIONS[:1] if self.small else PRECISIONS

    def prepare(self, precision: Precision) -> None:
        """Set the flags of a precision as a training does."""
        device = "cuda" if self.device.type == "cuda" else "cpu"
        compute.prepare(
            Compute(
                device=device,
                devices=1,
                nodes=1,
                statistics="global",
                num_threads=1,
                precision=precision,
            )
        )

    def network(self, backbone: str, precision: Precision) -> Embedder:
        """Return a network as MetaBIN trains it, in training mode; the base step leaves rho."""
        torch.manual_seed(0)
        autocast = torch.bfloat16 if precision == "bfloat16" else None
        model = build_embedder(backbone, self.sizes.num_classes, rho=0.5, precision=autocast)
        for parameter in rho_of(model).values():
            parameter.requires_grad_(False)
        return model.train().to(self.device).to(memory_format=torch.channels_last)

    def batches(self, memory_format: torch.memory_format) -> tuple[Batch, Batch, Batch]:
        """Return random batches of the base step, of meta-train and of meta-test."""
        generator = torch.Generator().manual_seed(0)
        counts = (NUM_DOMAINS, NUM_META_TRAIN, NUM_DOMAINS - NUM_META_TRAIN)
        base, train, test = (
            random_batch(count, self.sizes, generator, self.device, memory_format)
            for count in counts
        )
        return base, train, test

    def synchronize(self) -> None:
        """Wait until the device has finished."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def measure(self, work: Callable[[], object]) -> Timing:
        """Return the median milliseconds of the work, one run after the other, after warm-ups."""
        for _ in range(1 if self.small else 4):
            work()
        timings: list[Timing] = []
        deadline = time.perf_counter() + self.sizes.seconds
        while len(timings) < 3 or (time.perf_counter() < deadline and len(timings) < 50):
            self.synchronize()
            start = time.perf_counter()
            work()
            launched = time.perf_counter()
            self.synchronize()
            end = time.perf_counter()
            timings.append(Timing(1000 * (end - start), 1000 * (launched - start)))
        total, host = (statistics.median(column) for column in zip(*timings, strict=True))
        return Timing(total, host)

    def device_milliseconds(self, work: Callable[[], object], *, repeats: int = 10) -> float:
        """Return the milliseconds that the device needs for the work, without its launching.

        The device first gets two large products. While it computes them, the host launches the
        work several times, so that the device does not wait between its kernels.
        """
        for _ in range(3):
            work()
        if self.device.type != "cuda":
            return self.measure(work).total
        size = self.sizes.matrix
        matrix = torch.randn(size, size, device=self.device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        for _ in range(2):
            torch.mm(matrix, matrix)
        start.record()
        for _ in range(repeats):
            work()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / repeats

    def peak_gigabytes(self, work: Callable[[], object]) -> float | None:
        """Return the largest memory of tensors during the work; None on a CPU."""
        if self.device.type != "cuda":
            return None
        gc.collect()  # of networks that were measured before
        torch.cuda.reset_peak_memory_stats()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() / 1e9


def optimizers(model: Embedder, *, fused: bool) -> tuple[SGD, SGD]:
    """Return the optimisers of the weights and of rho, with the paper's settings."""
    rho = []
    weights = []
    for name, value in model.named_parameters():
        if is_rho(name):
            rho.append(value)
        elif value.requires_grad:
            weights.append(value)
    return (
        SGD(weights, lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=fused),
        SGD(rho, lr=0.1, fused=fused),
    )


def random_batch(
    num_domains: int,
    sizes: Sizes,
    generator: torch.Generator,
    device: torch.device,
    memory_format: torch.memory_format = torch.channels_last,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Return a batch of random images with the sizes' identities and images per domain."""
    num_ids = num_domains * sizes.ids_per_domain
    label = torch.arange(num_ids).repeat_interleave(sizes.images_per_id)
    domain = label // sizes.ids_per_domain
    shape = (len(label), 3, sizes.height, sizes.width)
    images = torch.randn(shape, generator=generator, dtype=dtype)
    images = images.to(device).contiguous(memory_format=memory_format)
    return Batch(images, label.to(device), torch.zeros_like(label).to(device), domain.to(device))
