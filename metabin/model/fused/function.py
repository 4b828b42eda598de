"""The operation clip(batch_instance_norm(x) + residual) with its gradient, by fused kernels.

The maps are read once for the statistics, once for y, and twice in the backward pass. Only x is
saved for it, and y for the clip of a sum. `metabin.model.fused.interface` derives the equations.
Gradients of gradients use the plain equation of `metabin.model.norm`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from metabin.model.fused.clip import clip, clip_gradient
from metabin.model.fused.interface import Kernels, Parameters, Running, Settings
from metabin.model.norm import batch_instance_norm, require_pixels

FLOAT_TYPES = {
    "cpu": (torch.float32, torch.float64),
    "cuda": (torch.float32, torch.float64, torch.bfloat16, torch.float16),
}


def kernels_for(x: Tensor) -> Kernels | None:
    """Return the kernels for tensors like x; None where the plain equation must be used.

    The kernels read the memory of a tensor. torch.compile and torch.export record torch's own
    operations, and a subclass of Tensor, such as their fake tensors, may have no memory.
    """
    if torch.compiler.is_compiling() or type(x) not in (Tensor, nn.Parameter):
        return None
    device = x.device.type
    return _import_kernels(device) if x.dtype in FLOAT_TYPES.get(device, ()) else None


@cache
def _import_kernels(device: str) -> Kernels | None:
    # Imported on first use, since numba and Triton take time. Triton comes with torch on Linux.
    if device == "cuda" and not find_spec("triton"):
        return None
    return cast(Kernels, import_module(f"metabin.model.fused.{device}.kernels"))


def dense(x: Tensor) -> Tensor:
    """Return maps in a memory order that the kernels take: on CUDA their own where possible."""
    if x.is_cuda and x.is_contiguous():
        return x
    return x.contiguous(memory_format=torch.channels_last)


def dense_like(x: Tensor, like: Tensor) -> Tensor:
    """Return maps in the memory order of others."""
    channels_last = not like.is_contiguous() or like.is_cpu
    order = torch.channels_last if channels_last else torch.contiguous_format
    return x.contiguous(memory_format=order)


def fused_norm(
    x: Tensor, residual: Tensor | None, parameters: Parameters, running: Running, settings: Settings
) -> Tensor:
    """Compute clip(batch_instance_norm(x) + residual) of maps that `kernels_for` supports.

    Shapes: x and the residual (N, C, H, W) -> (N, C, H, W) with H * W > 1.
    """
    require_pixels(x)
    x = dense(x)
    if residual is None:
        return Fused.apply(x, None, *parameters, *running, settings)
    y = Fused.apply(x, dense_like(residual, x), *parameters, *running, settings)
    return clip_gradient(y, settings.low, settings.high)


class Fused(torch.autograd.Function):
    """clip(batch_instance_norm(x, ...) + residual) in one pass, with its gradient.

    Without a residual, the backward pass computes from x where the clip passes a gradient. With
    one, the gradient is that of the sum before the clip, and `clip_gradient` must follow: as an
    operation of its own, it frees y before the backward pass of the norm allocates dx.

    Arguments: x and the residual or None, `dense`; the parameters (C,) and the running statistics,
    as of `batch_instance_norm`; `Settings`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        residual: Tensor | None,
        rho: Tensor,
        bn_weight: Tensor,
        bn_bias: Tensor,
        in_weight: Tensor,
        in_bias: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        settings: Settings,
    ) -> Tensor:
        kernels = cast(Kernels, kernels_for(x))
        parameters = Parameters(rho.contiguous(), bn_weight, bn_bias, in_weight, in_bias)
        running = Running(running_mean, running_var)
        statistics = kernels.statistics(x, parameters, running, settings)
        y = kernels.forward(x, residual, statistics, settings)
        if settings.training:
            running = Running(None, None)  # not saved: a second order would move them again
        if residual is not None:
            settings = replace(settings, low=-math.inf, high=math.inf)
        ctx.save_for_backward(x, *parameters, *running)
        ctx.statistics = statistics
        ctx.settings = settings
        ctx.can_recompute = residual is None
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *tensors = ctx.saved_tensors
        settings = ctx.settings
        grad_residual = grad if ctx.needs_input_grad[1] else None
        if torch.is_grad_enabled():  # create_graph: these gradients will be differentiated
            needed = (ctx.needs_input_grad[0], *ctx.needs_input_grad[2:])
            dx, *gradients = plain_gradients([x, *tensors], needed, settings, grad)
            return dx, grad_residual, *gradients, None
        parameters = Parameters(*tensors[: len(Parameters._fields)])
        kernels = cast(Kernels, kernels_for(x))
        dx, gradients = kernels.backward(
            x,
            dense_like(grad, x),
            ctx.statistics,
            parameters,
            settings,
            with_dx=ctx.needs_input_grad[0],
        )
        return dx, grad_residual, *gradients, None, None, None


def plain_gradients(
    tensors: Sequence[Tensor], needed: Sequence[bool], settings: Settings, grad: Tensor
) -> list[Tensor | None]:
    """Return the gradients by the plain equation, which can be differentiated again.

    Args:
        tensors: x, the parameters and the running statistics.
        needed: one per tensor; the gradients of the others are None.
    """
    y = batch_instance_norm(
        *tensors,
        training=settings.training,
        momentum=settings.momentum,
        eps=settings.eps,
        joined=settings.joined,
    )
    inputs = [tensor for tensor, flag in zip(tensors, needed, strict=False) if flag]
    y = clip(y, settings.low, settings.high)
    gradients = iter(torch.autograd.grad(y, inputs, grad, create_graph=True))
    return [next(gradients) if flag else None for flag, _ in zip(needed, tensors, strict=False)]


def recompute_norms() -> saved_tensors_hooks:
    """Return a context in which the outputs of fused norms are recomputed for the backward pass.

    A convolution after a fused norm would keep its input, next to the x from which the norm made
    that input. Recomputation (activation checkpointing of the norm alone) costs one more pass over
    x and halves the memory of a training.
    """

    def pack(tensor: Tensor) -> Any:
        node: Any = tensor.grad_fn
        # detached: a node that keeps its own output, as a ReLU does, would never be freed
        return node if getattr(node, "can_recompute", False) else tensor.detach()

    def unpack(packed: Any) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        x, *_ = packed.saved_tensors
        kernels = cast(Kernels, kernels_for(x))
        return kernels.forward(x, None, packed.statistics, packed.settings)

    return saved_tensors_hooks(pack, unpack)
