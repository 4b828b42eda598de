"""The base and the meta step at the paper's batch, against the textbook and the device's limits.

The textbook's composition (`benchmarks.textbook`) is the method as it is commonly written. It runs
in the same precision, in torch's default memory order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks import textbook
from benchmarks.gpu.limits import bandwidth, matrix_peak
from benchmarks.gpu.rows import Row, faster, share
from benchmarks.gpu.setting import NUM_DOMAINS, Precision, Setting, Timing, optimizers
from metabin.backbones import build_backbone
from metabin.engine.base_step import base_step
from metabin.episodes.meta_step import meta_step
from metabin.model.embedder import build_embedder

# Passes over an image in the base step (forward, gradients of maps and of weights) and in the meta
# step (forward and gradients of maps).
BASE_PASSES = 3
META_PASSES = 2
# Passes over the maps of a norm, forward and backward: see `benchmarks.gpu.norm`.
NORM_PASSES = 8
Case = tuple[str, Precision]  # a backbone and a precision
RATIO_GOAL: dict[Case, float] = {("resnet50", "bfloat16"): 3.0}
TIME_GOAL: dict[Case, float] = {("resnet50", "bfloat16"): 40.0}  # ms


class Costs(NamedTuple):
    """The costs of an iteration."""

    base: Timing
    meta: Timing
    gigabytes: float | None

    @property
    def milliseconds(self) -> float:
        """Return the sum of both steps."""
        return self.base.total + self.meta.total


def rows(setting: Setting) -> Iterator[Row]:
    memory_limit = bandwidth(setting)
    for backbone in setting.sizes.backbones:
        for precision in setting.precisions:
            name = f"{backbone} {precision}"
            ours = measure(setting, *our_steps(setting, backbone, precision))
            other = measure(setting, *textbook_steps(setting, backbone, precision))
            yield from cost_rows(name, ours, other, (backbone, precision))
            seconds = ours.milliseconds / 1000
            yield from limit_rows(setting, name, (backbone, precision), seconds, memory_limit)


def cost_rows(name: str, ours: Costs, other: Costs, case: Case) -> Iterator[Row]:
    """Return the rows of time and memory."""
    against = "textbook"
    yield faster(f"{name}: base step", ours.base.total, "ms", against, other.base.total)
    yield faster(f"{name}: meta step", ours.meta.total, "ms", against, other.meta.total)
    both = f"{name}: base + meta step"
    goal = RATIO_GOAL.get(case)
    yield faster(both, ours.milliseconds, "ms", against, other.milliseconds, goal)
    yield Row(both, ours.milliseconds, "ms", at_most=TIME_GOAL.get(case))
    yield Row(f"{both}, launching by the host", ours.base.host + ours.meta.host, "ms")
    if ours.gigabytes and other.gigabytes:
        yield faster(f"{both}, memory", ours.gigabytes, "GB", against, other.gigabytes)


def measure(setting: Setting, base: Callable[[], object], meta: Callable[[], object]) -> Costs:
    """Measure a base and a meta step."""

    def both() -> None:
        base()
        meta()

    timings = setting.measure(base), setting.measure(meta)
    return Costs(*timings, setting.peak_gigabytes(both))


def our_steps(
    setting: Setting, backbone: str, precision: Precision
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return the base and the meta step as the trainer takes them."""
    setting.prepare(precision)
    model = setting.network(backbone, precision)
    base, train, test = setting.batches(torch.channels_last)
    weights, rho = optimizers(model, fused=True)
    return (
        partial(base_step, model, base, weights),
        partial(meta_step, model, train, test, rho, 1e-3),
    )


def textbook_steps(
    setting: Setting, backbone: str, precision: Precision
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return the base and the meta step as they are commonly written."""
    setting.prepare(precision)
    torch.manual_seed(0)
    autocast = torch.bfloat16 if precision == "bfloat16" else None
    model = build_embedder(backbone, setting.sizes.num_classes, norm="bn", precision=autocast)
    model = textbook.with_textbook_norms(model).train().to(setting.device)
    base, train, test = setting.batches(torch.contiguous_format)
    weights, rho = optimizers(model, fused=False)
    return (
        partial(textbook.base_step, model, base, weights),
        partial(textbook.meta_step, model, train, test, rho, 1e-3),
    )


class Work(NamedTuple):
    """The work of an image in one forward pass.

    Attributes:
        operations: of convolutions, two for a product and a sum.
        in_convolutions: values that convolutions read and write.
        in_norms: values in the maps of norms.
    """

    operations: int
    in_convolutions: int
    in_norms: int


def work_of(backbone: str, height: int, width: int) -> Work:
    """Count the work of an image of height x width pixels by running the network on one."""
    network = build_backbone(backbone)[0].eval()
    counts: list[Work] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        size = output.numel()
        if isinstance(layer, nn.Conv2d):
            # each output value is a sum over the weights of its channel
            operations = 2 * size * layer.weight[0].numel()
            counts.append(Work(operations, inputs[0].numel() + size, 0))
        else:
            counts.append(Work(0, 0, size))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.zeros(1, 3, height, width))
    return Work(*(sum(column) for column in zip(*counts, strict=True)))


def limit_rows(
    setting: Setting, name: str, case: Case, seconds: float, memory_limit: float
) -> Iterator[Row]:
    """Return the rows of arithmetic and of memory traffic against the limits of the device.

    A convolution reads its input and writes its output once per pass, and a norm needs
    `NORM_PASSES` over its maps. Weights, shortcuts and optimisers are left out.
    """
    backbone, precision = case
    sizes = setting.sizes
    work = work_of(backbone, sizes.height, sizes.width)
    per_domain = sizes.ids_per_domain * sizes.images_per_id
    num_images = NUM_DOMAINS * per_domain  # of the base step, and of both halves of the meta step
    passes = (BASE_PASSES + META_PASSES) * num_images
    speed = passes * work.operations / seconds / 1e12
    peak = matrix_peak(setting, precision)
    yield share(f"{name}: convolutions", speed, "TFLOP/s", "matrix product", peak)
    values = passes * work.in_convolutions + 2 * NORM_PASSES * num_images * work.in_norms
    speed = values * (2 if precision == "bfloat16" else 4) / seconds / 1e9
    yield share(f"{name}: maps of the network", speed, "GB/s", "copy", memory_limit)
