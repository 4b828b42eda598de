"""The normalisation layers that batch-instance normalisation is compared with."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metabin.model.norm import require_pixels


class SharedAffineBatchInstanceNorm2d(nn.Module):
    """The original batch-instance normalisation: a convex mix per channel, then one affine for both halves.

        xhat_bn = (x - mean_batch) / sqrt(var_batch + eps)
        xhat_in = (x - mean_image) / sqrt(var_image + eps)
        y       = weight * (rho * xhat_bn + (1 - rho) * xhat_in) + bias

    Statistics and the range of rho are those of `metabin.model.norm.BatchInstanceNorm2d`.

    Args:
        num_features: channels C. eps, momentum: as in torch.nn.BatchNorm2d. rho: start value in [0, 1].
        rho_per: "channel", or "layer": one rho (1,) for all channels.
    Shapes: (N, C, H, W) -> (N, C, H, W) with H * W > 1.
    Raises:
        ValueError: a rho outside [0, 1], or a map of one pixel.
    Source: Nam and Kim 2018; the reference's `BIN_gate1`.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        rho: float = 1.0,
        rho_per: Literal["channel", "layer"] = "channel",
    ) -> None:
        super().__init__()
        if not 0 <= rho <= 1:
            raise ValueError(f"rho is a weight in [0, 1], found {rho}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.rho = nn.Parameter(torch.full((num_features if rho_per == "channel" else 1,), float(rho)))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        require_pixels(x)
        # the weight is folded into both halves, the bias, which rho does not mix, into one
        y_bn = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.rho * self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )
        return y_bn + F.instance_norm(x, weight=(1 - self.rho) * self.weight, eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


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
        return torch.cat((self.batch(x[:, : self.num_batch]), self.instance(x[:, self.num_batch :])), dim=1)


class IBN(nn.Module):
    """The IBN-a layer: InstanceNorm with an affine for the first floor(C / 2) channels, BatchNorm for the others.

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
        return torch.cat((self.IN(x[:, : self.num_instance]), self.BN(x[:, self.num_instance :])), dim=1)
