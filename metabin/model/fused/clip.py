"""The clip of a norm's output, in place, and its gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


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


def clip_gradient(y: Tensor, low: float, high: float) -> Tensor:
    """Return y, which is clipped already, with the gradient of the clip."""
    return y if (low, high) == (-math.inf, math.inf) else ClipGradient.apply(y, low, high)


class ClipGradient(torch.autograd.Function):
    """The identity, whose gradient is that of a clip with the output y.

    The bounds are numbers that the tensor's type represents exactly, as those of ReLU6.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, low: float, high: float) -> Tensor:
        ctx.mark_dirty(y)
        ctx.bounds = low, high
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        # y is on a bound exactly where the input of the clip was on it or beyond
        return torch.ops.aten.hardtanh_backward(grad, *ctx.saved_tensors, *ctx.bounds), None, None


class Clip(ClipGradient):
    """`torch.nn.functional.hardtanh_` that keeps its output for the backward pass.

    torch's own keeps a copy of its input.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, low: float, high: float) -> Tensor:
        return ClipGradient.forward(ctx, F.hardtanh_(y, low, high), low, high)
