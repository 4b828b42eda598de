"""Fused batch-instance normalisation and ReLU: few passes over the feature maps.

Both halves of the equation in `metabin.model.norm` are affine in x, and the statistics of the batch
follow from those of the images n:

    mean_batch = mean_n mean_n,    var_batch = mean_n (var_n + (mean_n - mean_batch)^2)
    y = clip(scale * (x - mean_n) + shift)          one scale and one shift per image and channel

The maps are read once for the statistics, once for y, and twice in the backward pass, which needs
two sums per image and channel. Only x is kept for it. `metabin.model.cpu.kernels` has the loops
over pixels; here is the arithmetic between them, on (N, C) tensors.

CPU tensors in float32 and float64 are supported. The plain equation is used for other tensors and
for gradients of gradients.
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
    """Settings of one call. `low` and `high` bound y; (0, inf) is a ReLU."""

    training: bool
    momentum: float
    eps: float
    low: float = -math.inf
    high: float = math.inf


class FusedBatchInstanceNorm2d(BatchInstanceNorm2d):
    """`BatchInstanceNorm2d` that on a CPU clips its own output and takes a third of the time."""

    def forward(self, x: Tensor, *, low: float = -math.inf, high: float = math.inf) -> Tensor:
        if not is_supported(x):
            return clip(super().forward(x), low, high)
        return Fused.apply(
            channels_last(x),
            self.rho.expand(self.num_features),
            self.bn_weight,
            self.bn_bias,
            self.in_weight,
            self.in_bias,
            self.running_mean,
            self.running_var,
            Settings(self.training, self.momentum, self.eps, low, high),
        )


class FusedInstanceNorm2d(nn.InstanceNorm2d):
    """torch's InstanceNorm2d with an affine and no running statistics, as the case rho = 0."""

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps, affine=True)

    def forward(self, x: Tensor, *, low: float = -math.inf, high: float = math.inf) -> Tensor:
        if not is_supported(x):
            return clip(super().forward(x), low, high)
        zero = torch.zeros_like(self.weight)
        return Fused.apply(
            channels_last(x),
            zero,  # rho
            zero,  # bn_weight
            zero,  # bn_bias
            self.weight,
            self.bias,
            None,
            None,
            Settings(True, 0.0, self.eps, low, high),
        )


def norm_relu(norm: nn.Module, x: Tensor, *, ceiling: float = math.inf) -> Tensor:
    """Return relu(norm(x)), at most `ceiling` (6 is ReLU6); fused if the norm can clip."""
    if isinstance(norm, FusedBatchInstanceNorm2d | FusedInstanceNorm2d):
        return norm(x, low=0.0, high=ceiling)
    return clip(norm(x), 0.0, ceiling)


def clip(y: Tensor, low: float, high: float) -> Tensor:
    """Clip y between two bounds, in place.

    A norm's output may be changed in place: its backward pass keeps its input, not y. The gradient
    at a bound is 0, as of every ReLU.
    """
    if (low, high) == (-math.inf, math.inf):
        return y
    if (low, high) == (0.0, math.inf):
        return F.relu(y, inplace=True)
    return Clip.apply(y, low, high)


class Clip(torch.autograd.Function):
    """`torch.nn.functional.hardtanh_` that keeps its output for the backward pass.

    torch's own keeps a copy of its input. The bounds are numbers that the tensor's type represents
    exactly, as those of ReLU6.
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


def channels_last(x: Tensor) -> Tensor:
    """Return x in the memory order of the kernels.

    Raises:
        ValueError: maps of one pixel.
    """
    require_pixels(x)
    return x.contiguous(memory_format=torch.channels_last)


def is_supported(x: Tensor) -> bool:
    """Return whether the kernels take a tensor of this device and type."""
    return x.is_cpu and x.dtype in (torch.float32, torch.float64)


def recompute_norms() -> saved_tensors_hooks:
    """Return a context in which the outputs of fused norms are recomputed for the backward pass.

    A convolution after a fused norm would keep its input, next to the x from which the norm made
    that input. Recomputation (activation checkpointing of the norm alone) costs one more pass over
    x and halves the memory of a training.
    """

    def pack(tensor: Tensor) -> Any:
        node: Any = tensor.grad_fn
        # detached: a node that keeps its own output, as a ReLU does, would never be freed
        return node if hasattr(node, "fused_settings") else tensor.detach()

    def unpack(packed: Any) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        x, *_ = packed.saved_tensors
        mean, scale, shift, *_ = packed.statistics
        settings = packed.fused_settings
        return kernels.forward(x, mean, scale, shift, settings.low, settings.high)

    return saved_tensors_hooks(pack, unpack)


class Fused(torch.autograd.Function):
    """clip(batch_instance_norm(x, ...)) of a CPU tensor in channels-last order.

    Arguments as of `batch_instance_norm`, then `Settings`. Notation of the comments, per channel:

        m_n, v_n   mean and variance of image n;  s_n = 1 / sqrt(v_n + eps)
        m, v       those of the batch, or the running ones;  s = 1 / sqrt(v + eps)
        d_n        m_n - m
        N, P       images, and pixels per image
        g          the gradient with respect to y where the clip passes it, 0 elsewhere
    """

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
        mean, var = kernels.moments(x)  # m_n, v_n
        if settings.training:
            # m = mean_n m_n,  v = mean_n (v_n + d_n^2): the variance within and between images
            batch_mean = mean.mean(dim=0)
            deviation = mean - batch_mean
            batch_var = (var + deviation.square()).mean(dim=0)
            if running_mean is not None and running_var is not None:
                # r <- (1 - momentum) r + momentum s, with the unbiased variance
                num_values = x.numel() // x.shape[1]
                running_mean.lerp_(batch_mean, settings.momentum)
                running_var.lerp_(batch_var * (num_values / (num_values - 1)), settings.momentum)
                # not saved: a second order would move them again
                running_mean = None
                running_var = None
        else:
            assert running_mean is not None and running_var is not None
            deviation = mean - running_mean
            batch_var = running_var
        batch_rstd = torch.rsqrt(batch_var + settings.eps)  # s
        image_rstd = torch.rsqrt(var + settings.eps)  # s_n
        # y = rho (bn_weight (x - m) s + bn_bias) + (1 - rho) (in_weight (x - m_n) s_n + in_bias)
        #   = scale (x - m_n) + shift,  since x - m = (x - m_n) + d_n:
        # scale = rho bn_weight s + (1 - rho) in_weight s_n
        batch_scale = rho * bn_weight * batch_rstd
        scale = batch_scale + (1 - rho) * in_weight * image_rstd
        # shift = rho bn_bias + (1 - rho) in_bias + rho bn_weight s d_n
        shift = rho * bn_bias + (1 - rho) * in_bias + batch_scale * deviation
        ctx.fused_settings = settings
        ctx.save_for_backward(
            x, rho, bn_weight, bn_bias, in_weight, in_bias, running_mean, running_var
        )
        ctx.statistics = mean, scale, shift, deviation, batch_rstd, image_rstd
        return kernels.forward(x, mean, scale, shift, settings.low, settings.high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph: these gradients will be differentiated
            return plain_gradients(ctx, grad)
        x, rho, bn_weight, bn_bias, in_weight, in_bias, *_ = ctx.saved_tensors
        mean, scale, shift, deviation, batch_rstd, image_rstd = ctx.statistics
        settings = ctx.fused_settings
        grad = grad.contiguous(memory_format=torch.channels_last)
        clipped = (mean, scale, shift, settings.low, settings.high)
        # sum0_n = sum_p g,  sum1_n = sum_p g (x - m_n): all that the gradients need of the pixels
        sum0, sum1 = kernels.backward_sums(x, grad, *clipped)
        total = sum0.sum(dim=0)  # sum_np g
        # batch_total = sum_np g (x - m) s = s sum_n (sum1_n + d_n sum0_n)
        batch_total = (sum1 + sum0 * deviation).sum(dim=0) * batch_rstd
        # image_total = sum_np g (x - m_n) s_n
        image_total = (sum1 * image_rstd).sum(dim=0)

        dx = None
        if ctx.needs_input_grad[0]:
            # d y / d x through the values is scale; through the statistics of the image:
            #   - (1 - rho) in_weight s_n / P (sum0_n + (x - m_n) s_n^2 sum1_n)
            num_pixels = x.shape[2] * x.shape[3]
            image_scale = (1 - rho) * in_weight * image_rstd / num_pixels
            slope = -image_scale * image_rstd.square() * sum1
            offset = -image_scale * sum0
            if settings.training:
                # through the statistics of the batch, with x - m = (x - m_n) + d_n:
                #   - rho bn_weight s / (P N) (total + (x - m) s batch_total)
                batch_scale = rho * bn_weight * batch_rstd / (num_pixels * len(x))
                slope_batch = -batch_scale * batch_rstd * batch_total
                slope += slope_batch
                offset += slope_batch * deviation - batch_scale * total
            # dx = scale g + slope (x - m_n) + offset
            dx = kernels.backward(x, grad, *clipped, slope, offset)
        return (
            dx,
            # d rho = sum g (y_bn - y_in)
            bn_weight * batch_total + bn_bias * total - in_weight * image_total - in_bias * total,
            rho * batch_total,  # d bn_weight = rho sum g (x - m) s
            rho * total,  # d bn_bias = rho sum g
            (1 - rho) * image_total,  # d in_weight = (1 - rho) sum g (x - m_n) s_n
            (1 - rho) * total,  # d in_bias = (1 - rho) sum g
            None,
            None,
            None,
        )


def plain_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients by the plain equation, which can be differentiated again."""
    settings = ctx.fused_settings
    tensors = ctx.saved_tensors
    y = batch_instance_norm(
        *tensors, training=settings.training, momentum=settings.momentum, eps=settings.eps
    )
    flags = ctx.needs_input_grad
    inputs = [tensor for tensor, flag in zip(tensors, flags, strict=False) if flag]
    clipped = clip(y, settings.low, settings.high)
    gradients = iter(torch.autograd.grad(clipped, inputs, grad, create_graph=True))
    return tuple(next(gradients) if flag else None for flag in flags)
