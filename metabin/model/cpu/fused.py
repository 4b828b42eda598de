"""Batch-instance normalisation and the ReLU behind it, with every pixel touched as seldom as can be.

Both halves of the equation in `metabin.model.norm` are affine in x, and the batch's statistics follow from the images':

    mean_batch = mean_n mean_n,    var_batch = mean_n (var_n + (mean_n - mean_batch)^2)
    y = clip(scale * (x - mean_n) + shift)          one scale and one shift per image and channel

so the maps are read once for the statistics, once for y, and twice in the backward pass, which needs two sums per image
and channel. x is all that is kept for it. What is done to pixels is in `metabin.model.cpu.kernels`; here is the arithmetic
between, on (N, C) tensors.

It takes CPU tensors in float32 and float64. Elsewhere, and for gradients of gradients, the plain equation is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from metabin.model.cpu import kernels
from metabin.model.norm import BatchInstanceNorm2d, batch_instance_norm, require_pixels


@dataclass(frozen=True, slots=True)
class Settings:
    """`low` and `high` bound y; (0, inf) is a ReLU."""

    training: bool
    momentum: float
    eps: float
    low: float = -math.inf
    high: float = math.inf


class FusedBatchInstanceNorm2d(BatchInstanceNorm2d):
    """`BatchInstanceNorm2d`, which on a CPU clips its own output and takes a third of the time."""

    def forward(self, x: Tensor, *, low: float = -math.inf, high: float = math.inf) -> Tensor:
        if not fits(x):
            return clip(super().forward(x), low, high)
        x = in_order(x)
        affines = (self.rho.expand(self.num_features), self.bn_weight, self.bn_bias, self.in_weight, self.in_bias)
        settings = Settings(self.training, self.momentum, self.eps, low, high)
        return Fused.apply(x, *affines, self.running_mean, self.running_var, settings)


class FusedInstanceNorm2d(nn.InstanceNorm2d):
    """torch's InstanceNorm2d with an affine and no running statistics, as the case rho = 0."""

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps, affine=True)

    def forward(self, x: Tensor, *, low: float = -math.inf, high: float = math.inf) -> Tensor:
        if not fits(x):
            return clip(super().forward(x), low, high)
        x, zero = in_order(x), torch.zeros_like(self.weight)
        settings = Settings(True, 0.0, self.eps, low, high)
        return Fused.apply(x, zero, zero, zero, self.weight, self.bias, None, None, settings)


def norm_relu(norm: nn.Module, x: Tensor, *, ceiling: float = math.inf) -> Tensor:
    """relu(norm(x)), at most `ceiling` (6 is ReLU6); in one where the norm can clip."""
    if isinstance(norm, FusedBatchInstanceNorm2d | FusedInstanceNorm2d):
        return norm(x, low=0.0, high=ceiling)
    return clip(norm(x), 0.0, ceiling)


def clip(y: Tensor, low: float, high: float) -> Tensor:
    """Clip y between two bounds in place, which a norm's output allows: its node keeps its input, not y.

    The gradient at a bound is 0, as of every ReLU.
    """
    if (low, high) == (-math.inf, math.inf):
        return y
    return F.relu(y, inplace=True) if (low, high) == (0.0, math.inf) else Clip.apply(y, low, high)


class Clip(torch.autograd.Function):
    """`torch.nn.functional.hardtanh_` with its output kept for the backward pass.

    torch's own keeps a copy of its input. The bounds are numbers that the tensor's type holds exactly, as those of
    ReLU6.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, low: float, high: float) -> Tensor:
        ctx.mark_dirty(y)
        ctx.bounds = low, high
        F.hardtanh_(y, low, high)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        # the output is on a bound exactly where the input was on it or beyond
        return torch.ops.aten.hardtanh_backward(grad, *ctx.saved_tensors, *ctx.bounds), None, None


def in_order(x: Tensor) -> Tensor:
    """x in the kernels' order; ValueError for a map of one pixel."""
    require_pixels(x)
    return x.contiguous(memory_format=torch.channels_last)


def fits(x: Tensor) -> bool:
    """Whether the kernels can take it."""
    return x.is_cpu and x.dtype in (torch.float32, torch.float64)


def outputs_made_again() -> saved_tensors_hooks:
    """A context in which no layer keeps the output of a fused norm for its backward pass; it is made again there.

    That takes one more look at x, and half of a training's memory: a convolution would keep its input, next to the x
    from which the norm before it makes that input.
    """

    def pack(tensor: Tensor) -> Any:
        node: Any = tensor.grad_fn
        # detached, for a node that keeps its output, as a ReLU does, would hold itself for ever
        return node if hasattr(node, "fused_settings") else tensor.detach()

    def unpack(packed: Any) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        (x, *_), (mean, scale, shift, *_) = packed.saved_tensors, packed.statistics
        return kernels.forward(x, mean, scale, shift, packed.fused_settings.low, packed.fused_settings.high)

    return saved_tensors_hooks(pack, unpack)


class Fused(torch.autograd.Function):
    """clip(batch_instance_norm(x, ...)) of a CPU tensor in channels-last order; arguments as there, then `Settings`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        rho: Tensor,
        bn_weight: Tensor,
        bn_bias: Tensor,
        in_weight: Tensor,
        in_bias: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        settings: Settings,
    ) -> Tensor:
        mean, var = kernels.moments(x)
        if settings.training:
            batch_mean = mean.mean(dim=0)
            deviation = mean - batch_mean
            batch_var = (var + deviation.square()).mean(dim=0)
            if running_mean is not None and running_var is not None:
                num_values = x.numel() // x.shape[1]
                running_mean.lerp_(batch_mean, settings.momentum)
                running_var.lerp_(batch_var * (num_values / (num_values - 1)), settings.momentum)
                running_mean = running_var = None  # moved; a second order would move them again
        else:
            assert running_mean is not None and running_var is not None
            deviation, batch_var = mean - running_mean, running_var
        batch_rstd, image_rstd = torch.rsqrt(batch_var + settings.eps), torch.rsqrt(var + settings.eps)
        batch_scale = rho * bn_weight * batch_rstd
        scale = batch_scale + (1 - rho) * in_weight * image_rstd
        shift = rho * bn_bias + (1 - rho) * in_bias + batch_scale * deviation
        ctx.fused_settings = settings
        ctx.save_for_backward(x, rho, bn_weight, bn_bias, in_weight, in_bias, running_mean, running_var)
        ctx.statistics = mean, scale, shift, deviation, batch_rstd, image_rstd
        return kernels.forward(x, mean, scale, shift, settings.low, settings.high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph: someone will differentiate what is returned here
            return plain_gradients(ctx, grad)
        x, rho, bn_weight, bn_bias, in_weight, in_bias, *_ = ctx.saved_tensors
        mean, scale, shift, deviation, batch_rstd, image_rstd = ctx.statistics
        settings = ctx.fused_settings
        grad = grad.contiguous(memory_format=torch.channels_last)
        clipped = mean, scale, shift, settings.low, settings.high
        sum0, sum1 = kernels.backward_sums(x, grad, *clipped)
        # sums of g, of g * (x - mean_batch) / std_batch, and of g * (x - mean_n) / std_n over images and pixels
        total, batch_total = sum0.sum(dim=0), (sum1 + sum0 * deviation).sum(dim=0) * batch_rstd
        image_total = (sum1 * image_rstd).sum(dim=0)

        dx = None
        if ctx.needs_input_grad[0]:
            num_pixels = x.shape[2] * x.shape[3]
            image_scale = (1 - rho) * in_weight * image_rstd / num_pixels
            slope, offset = -image_scale * image_rstd.square() * sum1, -image_scale * sum0
            if settings.training:
                batch_scale = rho * bn_weight * batch_rstd / (num_pixels * len(x))
                slope_batch = -batch_scale * batch_rstd * batch_total
                slope += slope_batch
                offset += slope_batch * deviation - batch_scale * total
            dx = kernels.backward(x, grad, *clipped, slope, offset)
        return (
            dx,
            bn_weight * batch_total + bn_bias * total - in_weight * image_total - in_bias * total,
            rho * batch_total,
            rho * total,
            (1 - rho) * image_total,
            (1 - rho) * total,
            None,
            None,
            None,
        )


def plain_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients by the plain equation, which can be differentiated again."""
    settings, tensors = ctx.fused_settings, ctx.saved_tensors
    y = batch_instance_norm(*tensors, training=settings.training, momentum=settings.momentum, eps=settings.eps)
    needed = [tensor for tensor, is_needed in zip(tensors, ctx.needs_input_grad, strict=False) if is_needed]
    found = iter(torch.autograd.grad(clip(y, settings.low, settings.high), needed, grad, create_graph=True))
    return (*(next(found) if is_needed else None for is_needed in ctx.needs_input_grad),)
