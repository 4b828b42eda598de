"""The norm layers that fuse a residual and a ReLU, and the functions that networks call."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from metabin.model.fused.clip import clip
from metabin.model.fused.function import Fused, dense, dense_like, kernels_for
from metabin.model.fused.interface import Settings
from metabin.model.norm import BatchInstanceNorm2d, require_pixels


class FusedBatchInstanceNorm2d(BatchInstanceNorm2d):
    """`BatchInstanceNorm2d` that adds a residual and clips in the same pass over the maps."""

    def forward(
        self,
        x: Tensor,
        residual: Tensor | None = None,
        *,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> Tensor:
        if not kernels_for(x):
            return add_and_clip(super().forward(x), residual, low, high)
        require_pixels(x)
        x = dense(x)
        return Fused.apply(
            x,
            None if residual is None else dense_like(residual, x),
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

    def forward(
        self,
        x: Tensor,
        residual: Tensor | None = None,
        *,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> Tensor:
        if not kernels_for(x):
            return add_and_clip(super().forward(x), residual, low, high)
        require_pixels(x)
        x = dense(x)
        zero = torch.zeros_like(self.weight)
        return Fused.apply(
            x,
            None if residual is None else dense_like(residual, x),
            zero,  # rho
            zero,  # bn_weight
            zero,  # bn_bias
            self.weight,
            self.bias,
            None,
            None,
            Settings(True, 0.0, self.eps, low, high),
        )


def norm_relu(
    norm: nn.Module, x: Tensor, residual: Tensor | None = None, *, ceiling: float = math.inf
) -> Tensor:
    """Return relu(norm(x) + residual), at most `ceiling` (6 is ReLU6); fused if the norm can."""
    if isinstance(norm, FusedBatchInstanceNorm2d | FusedInstanceNorm2d):
        return norm(x, residual, low=0.0, high=ceiling)
    return add_and_clip(norm(x), residual, 0.0, ceiling)


def add_and_clip(y: Tensor, residual: Tensor | None, low: float, high: float) -> Tensor:
    """Add a residual to the output of a norm, and clip the sum, in place."""
    if residual is not None:
        y += residual
    return clip(y, low, high)
