"""The norm layers that fuse a residual and a ReLU, and the functions that networks call."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor, nn

from metabin.model.fused.clip import clip
from metabin.model.fused.function import fused_norm, kernels_for
from metabin.model.fused.interface import Parameters, Running, Settings
from metabin.model.norm import BatchInstanceNorm2d


class FusedNorm(nn.Module):
    """Mixin of norms that add a residual and clip in the same pass over the maps.

    Comes before the norm whose output it computes. That norm's own `forward` is used for tensors
    without kernels.
    """

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
        parameters, running, settings = self.fused_inputs()
        return fused_norm(x, residual, parameters, running, replace(settings, low=low, high=high))

    @abstractmethod
    def fused_inputs(self) -> tuple[Parameters, Running, Settings]:
        """Return the layer's state as batch-instance normalisation, without a clip."""


class FusedBatchInstanceNorm2d(FusedNorm, BatchInstanceNorm2d):
    """`BatchInstanceNorm2d` that adds a residual and clips in the same pass over the maps."""

    def fused_inputs(self) -> tuple[Parameters, Running, Settings]:
        rho = self.rho.expand(self.num_features)
        return (
            Parameters(rho, self.bn_weight, self.bn_bias, self.in_weight, self.in_bias),
            Running(self.running_mean, self.running_var),
            Settings(self.training, self.momentum, self.eps, joined=self.joins_statistics()),
        )


class FusedInstanceNorm2d(FusedNorm, nn.InstanceNorm2d):
    """torch's InstanceNorm2d with an affine and no running statistics, as the case rho = 0."""

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps, affine=True)

    def fused_inputs(self) -> tuple[Parameters, Running, Settings]:
        zero = torch.zeros_like(self.weight)
        return (
            Parameters(
                rho=zero, bn_weight=zero, bn_bias=zero, in_weight=self.weight, in_bias=self.bias
            ),
            Running(None, None),
            Settings(training=True, momentum=0.0, eps=self.eps),
        )


def norm_relu(
    norm: nn.Module, x: Tensor, residual: Tensor | None = None, *, ceiling: float = math.inf
) -> Tensor:
    """Return relu(norm(x) + residual), at most `ceiling` (6 is ReLU6); fused if the norm can."""
    if isinstance(norm, FusedNorm):
        return norm(x, residual, low=0.0, high=ceiling)
    return add_and_clip(norm(x), residual, 0.0, ceiling)


def add_and_clip(y: Tensor, residual: Tensor | None, low: float, high: float) -> Tensor:
    """Add a residual to the output of a norm, and clip the sum, in place."""
    if residual is not None:
        y += residual
    return clip(y, low, high)
