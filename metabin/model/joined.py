"""Batch normalisation with the statistics of the batch of all ranks."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from metabin.model.fused.interface import Parameters, Running, Settings
from metabin.model.fused.layers import FusedNorm
from metabin.model.norm import BalancedNorm2d, batch_norm


class JoinedBatchNorm2d(nn.BatchNorm2d):
    """torch's BatchNorm2d with the statistics of the batch of all ranks."""

    def forward(self, input: Tensor) -> Tensor:
        return batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=cast(float, self.momentum),
            eps=self.eps,
            joined=self.training,
        )


class FusedJoinedBatchNorm2d(FusedNorm, JoinedBatchNorm2d):
    """`JoinedBatchNorm2d` as the case rho = 1 of batch-instance normalisation."""

    def forward(self, x: Tensor, residual: Tensor | None = None, **bounds: float) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return super().forward(x, residual, **bounds)

    def fused_inputs(self) -> tuple[Parameters, Running, Settings]:
        zero = torch.zeros_like(self.weight)
        return (
            Parameters(torch.ones_like(zero), self.weight, self.bias, in_weight=zero, in_bias=zero),
            Running(self.running_mean, self.running_var),
            Settings(self.training, cast(float, self.momentum), self.eps, joined=self.training),
        )


def running_statistics(network: nn.Module) -> list[Tensor]:
    """Return the running means and variances of all layers."""
    names = ("running_mean", "running_var")
    return [buffer for name, buffer in network.named_buffers() if name.rpartition(".")[2] in names]


def join_statistics(network: nn.Module) -> nn.Module:
    """Let the batch norms of a network use the statistics of all ranks, in place.

    Parameters and running statistics stay the same objects.
    """
    for name, layer in list(network.named_modules()):
        if isinstance(layer, BalancedNorm2d):
            layer.joined = True
        elif type(layer) is nn.BatchNorm2d:
            joined = FusedJoinedBatchNorm2d(layer.num_features, layer.eps, layer.momentum)
            joined._parameters, joined._buffers = layer._parameters, layer._buffers
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, joined)
    return network
