"""Normalisation layers that batch-instance normalisation is compared with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metabin.model.norm import BalancedNorm2d, batch_norm, require_pixels


class SharedAffineBatchInstanceNorm2d(BalancedNorm2d):
    """The original batch-instance normalisation: a convex mix per channel, then one affine.

        xhat_bn = (x - mean_batch) / sqrt(var_batch + eps)
        xhat_in = (x - mean_image) / sqrt(var_image + eps)
        y       = weight * (rho * xhat_bn + (1 - rho) * xhat_in) + bias

    Statistics are those of `metabin.model.norm.BatchInstanceNorm2d`.

    Args: as of `metabin.model.norm.BalancedNorm2d`.
    Shapes: (N, C, H, W) -> (N, C, H, W) with H * W > 1.
    Raises:
        ValueError: a rho outside [0, 1], or a map of one pixel.
    Source: Nam and Kim 2018; the reference's `BIN_gate1`.
    """

    def add_affine(self) -> None:
        self.weight = nn.Parameter(torch.ones(self.num_features))
        self.bias = nn.Parameter(torch.zeros(self.num_features))

    def forward(self, x: Tensor) -> Tensor:
        require_pixels(x)
        # y = (rho * weight) * xhat_bn + bias + ((1 - rho) * weight) * xhat_in: the bias, which rho
        # does not mix, goes into one half
        y_bn = batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.rho * self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
            joined=self.joins_statistics(),
        )
        return y_bn + F.instance_norm(x, weight=(1 - self.rho) * self.weight, eps=self.eps)


class HalfNorm2d(nn.Module):
    """BatchNorm for the first ceil(C / 2) channels, InstanceNorm with an affine for the others.

    Shapes: (N, C, H, W) -> (N, C, H, W) with C > 1 and, for the second half, H * W > 1.
    Source: the reference's `BIN_half`.
    """

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.num_batch = (num_features + 1) // 2
        self.batch = nn.BatchNorm2d(self.num_batch, eps, momentum)
        self.instance = nn.InstanceNorm2d(num_features - self.num_batch, eps, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y_bn = self.batch(x[:, : self.num_batch])
        y_in = self.instance(x[:, self.num_batch :])
        return torch.cat((y_bn, y_in), dim=1)


class IBN(nn.Module):
    """The IBN-a layer: InstanceNorm for the first floor(C / 2) channels, BatchNorm for the others.

    Both have an affine.
    Shapes: (N, C, H, W) -> (N, C, H, W) with C > 1 and, for the first half, H * W > 1.
    Source: Pan, Luo, Shi and Tang 2018 (IBN-Net).
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_instance = num_features // 2
        # the names in the published files
        self.IN = nn.InstanceNorm2d(self.num_instance, affine=True)
        self.BN = nn.BatchNorm2d(num_features - self.num_instance)

    def forward(self, x: Tensor) -> Tensor:
        y_in = self.IN(x[:, : self.num_instance])
        y_bn = self.BN(x[:, self.num_instance :])
        return torch.cat((y_in, y_bn), dim=1)
