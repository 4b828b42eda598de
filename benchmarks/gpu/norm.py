"""The fused norm alone, on the maps of ResNet-50, against torch's operations and the bandwidth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu.limits import bandwidth
from benchmarks.gpu.rows import Row, faster, share
from benchmarks.gpu.setting import Setting
from metabin.model.fused.layers import FusedBatchInstanceNorm2d, norm_relu
from metabin.model.norm import batch_instance_norm

# The stem, and the last norm of each stage: maps (N, C, H, W) of a batch of 80 images.
SHAPES = ((80, 64, 128, 64), (80, 256, 64, 32), (80, 512, 32, 16), (80, 1024, 16, 8))
SMALL_SHAPES = ((4, 8, 8, 4),)
# Forward: x for the statistics, x and y for the result. Backward: x and the gradient g for the two
# sums, x, g and the gradient of x for the result.
PASSES = 8
GOAL = 0.5  # of the bandwidth


def rows(setting: Setting) -> Iterator[Row]:
    limit = bandwidth(setting)
    for dtype in (torch.float32, torch.bfloat16):
        for shape in SMALL_SHAPES if setting.small else SHAPES:
            yield from compare(setting, shape, dtype, limit)


def compare(
    setting: Setting, shape: tuple[int, ...], dtype: torch.dtype, limit: float
) -> Iterator[Row]:
    """Compare forward and backward of norm and ReLU with torch's operations, and with a limit."""
    name = f"{'x'.join(map(str, shape))} {str(dtype).removeprefix('torch.')}: norm and ReLU"
    ours = fused(setting, shape, dtype)
    milliseconds = setting.device_milliseconds(ours)
    for against, other in (
        ("the plain equation", plain(setting, shape, dtype)),
        ("batch norm alone", batch_norm(setting, shape, dtype)),
    ):
        yield faster(name, milliseconds, "ms", against, setting.device_milliseconds(other))
    num_bytes = PASSES * torch.Size(shape).numel() * dtype.itemsize
    speed = num_bytes / milliseconds / 1e6
    yield share(name, speed, "GB/s", "copy", limit, at_least=GOAL)
    yield Row(f"{name}: launching by the host", setting.measure(ours).host, "ms")


def fused(setting: Setting, shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], None]:
    """Return a function that runs forward and backward of the layer that networks use."""
    x, gradient = _maps(setting, shape, dtype)
    layer = FusedBatchInstanceNorm2d(shape[1], rho=0.5).to(setting.device).train()
    layer.rho.requires_grad_(False)  # as in the base step
    return _both_ways(lambda: norm_relu(layer, x), gradient, [x, *layer.parameters()])


def plain(setting: Setting, shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], None]:
    """Return a function that runs forward and backward of the equation in torch's operations."""
    x, gradient = _maps(setting, shape, dtype)
    rho, *affines = _channels(setting, shape[1], 5)
    moments = [value.detach() for value in _channels(setting, shape[1], 2)]

    def forward() -> Tensor:
        y = batch_instance_norm(
            x, rho.detach(), *affines, *moments, training=True, momentum=0.1, eps=1e-5, joined=False
        )
        return F.relu(y, inplace=True)

    return _both_ways(forward, gradient, [x, *affines])


def batch_norm(setting: Setting, shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], None]:
    """Return a function that runs forward and backward of torch's batch norm and ReLU."""
    x, gradient = _maps(setting, shape, dtype)
    weight, bias = _channels(setting, shape[1], 2)
    mean, variance = (value.detach() for value in _channels(setting, shape[1], 2))

    def forward() -> Tensor:
        return F.relu(F.batch_norm(x, mean, variance, weight, bias, training=True), inplace=True)

    return _both_ways(forward, gradient, [x, weight, bias])


def _both_ways(
    forward: Callable[[], Tensor], gradient: Tensor, leaves: list[Tensor]
) -> Callable[[], None]:
    def run() -> None:
        forward().backward(gradient)
        for leaf in leaves:
            leaf.grad = None

    return run


def _maps(setting: Setting, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return random maps that need a gradient, and a gradient, both in channels-last order."""
    generator = torch.Generator().manual_seed(0)
    x, gradient = (
        torch.randn(shape, generator=generator)
        .to(setting.device, dtype)
        .contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    )
    return x.requires_grad_(), gradient


def _channels(setting: Setting, num_channels: int, count: int) -> list[Tensor]:
    """Return random values per channel that need a gradient."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.rand(num_channels, generator=generator).to(setting.device).requires_grad_()
        for _ in range(count)
    ]
