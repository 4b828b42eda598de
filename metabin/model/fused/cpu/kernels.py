"""Kernels of the fused operation for CPU tensors, by numba: see `metabin.model.fused.interface`.

Maps are tensors (N, C, H, W) in channels-last order. All tensors are of the same float type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from metabin.model.distributed import num_ranks
from metabin.model.fused.cpu import channels, maps
from metabin.model.fused.interface import Parameters, Running, Settings, Statistics
from metabin.model.fused.ranks import add_batch_terms, joined_statistics

# When numba starts its threads it sets OpenMP's number, and torch uses the same OpenMP.
_torch_threads = torch.get_num_threads()
MAX_THREADS = numba.get_num_threads()
torch.set_num_threads(_torch_threads)


def statistics(
    x: Tensor, parameters: Parameters, running: Running, settings: Settings
) -> Statistics:
    """Implement `Kernels.statistics`."""
    mean = _per_image(x)
    var = _per_image(x)
    _run(maps.moments, x.dtype, x, mean, var)
    num_pixels = x.shape[2] * x.shape[3]

    def combine(running: Running, settings: Settings) -> Statistics:
        result = Statistics(
            mean=mean,
            scale=_per_image(x),
            shift=_per_image(x),
            deviation=_per_image(x),
            image_rstd=var.clone() if settings.joined else var,  # overwritten
            batch_rstd=x.new_empty(x.shape[1]),
        )
        empty = x.new_empty(0)  # for running statistics that are not recorded
        recorded = tuple(empty if value is None else value for value in running)
        _run(
            channels.combine,
            x.dtype,
            settings.training,
            tuple(parameters),
            recorded,
            *(settings.momentum, settings.eps, float(num_pixels)),
            tuple(result),
        )
        return result

    if settings.joined:
        return joined_statistics(combine, mean[0], len(x) * num_pixels, running, settings)
    return combine(running, settings)


def forward(
    x: Tensor, residual: Tensor | None, statistics: Statistics, settings: Settings
) -> Tensor:
    """Implement `Kernels.forward`."""
    y = torch.empty_like(x)
    if residual is not None:
        residual = residual.to(x.dtype)
    affine = statistics.mean, statistics.scale, statistics.shift
    _run(maps.forward, x.dtype, x, residual, *affine, settings.low, settings.high, y)
    return y


def backward(
    x: Tensor,
    grad: Tensor,
    statistics: Statistics,
    parameters: Parameters,
    settings: Settings,
    *,
    with_dx: bool,
) -> tuple[Tensor | None, Parameters]:
    """Implement `Kernels.backward`."""
    sum0 = _per_image(x)
    sum1 = _per_image(x)
    mean, scale, shift, *_ = statistics
    clipped = (mean, scale, shift, settings.low, settings.high)
    _run(maps.backward_sums, x.dtype, x, grad, *clipped, sum0, sum1)
    gradients = Parameters(*(torch.empty_like(parameter) for parameter in parameters))
    slope = _per_image(x)
    offset = _per_image(x)
    num_pixels = x.shape[2] * x.shape[3]
    _run(
        channels.gradients,
        x.dtype,
        settings.training and not settings.joined,
        sum0,
        sum1,
        tuple(statistics),
        tuple(parameters),
        float(num_pixels),
        slope,
        offset,
        tuple(gradients),
    )
    if settings.joined:
        num_values = num_ranks() * len(x) * num_pixels
        add_batch_terms(slope, offset, (sum0, sum1), statistics, parameters, num_values)
    if not with_dx:
        return None, gradients
    dx = torch.empty_like(x)
    _run(maps.backward, x.dtype, x, grad, *clipped, slope, offset, dx)
    return dx, gradients


def _per_image(x: Tensor) -> Tensor:
    return x.new_empty(x.shape[:2])


def _run(kernel: Callable[..., None], dtype: torch.dtype, *arguments: Any) -> None:
    """Call a kernel with arrays for tensors, and with as many threads as torch has.

    Maps become (N, P, C) arrays. Numbers take the type of the maps.
    """
    numba.set_num_threads(min(torch.get_num_threads(), MAX_THREADS))
    number = {torch.float32: np.float32, torch.float64: np.float64}[dtype]
    arrays = [_as_array(value) for value in arguments]
    kernel(*(number(value) if isinstance(value, float) else value for value in arrays))


def _as_array(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_as_array(item) for item in value)
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    return (value.permute(0, 2, 3, 1).flatten(1, 2) if value.ndim == 4 else value).numpy()
