"""Batch-instance normalisation with a learnable balance rho per channel."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RHO = "rho"  # the parameter's name in every layer that has one: all that the meta step looks for


class BatchInstanceNorm2d(nn.Module):
    """A convex mix per channel of two complete normalisations, each with its own affine.

        y_bn = bn_weight * (x - mean_batch) / sqrt(var_batch + eps) + bn_bias
        y_in = in_weight * (x - mean_image) / sqrt(var_image + eps) + in_bias
        y    = rho * y_bn + (1 - rho) * y_in

    rho = 1 is BatchNorm2d, rho = 0 is InstanceNorm2d. In training the batch half uses the batch's statistics and moves
    the running ones; in evaluation it uses the running ones. The instance half always uses the image's own.
    Keeping rho in [0, 1] is the learner's work, so that the gradient here is that of the equation.

    Args:
        num_features: channels C. eps, momentum: as in torch.nn.BatchNorm2d. rho: start value in [0, 1].
        rho_per: "channel", or "layer": one rho (1,) for all channels, which is ours and not the paper's.
    Shapes: (N, C, H, W) -> (N, C, H, W) with H * W > 1 (an instance of one pixel has no variance).
    Source: MetaBIN, section 3.1; the reference's `BIN_gate2`.
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
        self.bn_weight = nn.Parameter(torch.ones(num_features))
        self.bn_bias = nn.Parameter(torch.zeros(num_features))
        self.in_weight = nn.Parameter(torch.ones(num_features))
        self.in_bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        require_pixels(x)
        return batch_instance_norm(
            x,
            self.rho,
            self.bn_weight,
            self.bn_bias,
            self.in_weight,
            self.in_bias,
            self.running_mean,
            self.running_var,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


def batch_instance_norm(
    x: Tensor,
    rho: Tensor,
    bn_weight: Tensor,
    bn_bias: Tensor,
    in_weight: Tensor,
    in_bias: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """The equation of `BatchInstanceNorm2d`, in torch's own operations: what `metabin.model.cpu.fused` is held to.

    Shapes: x (N, C, H, W), rho (C,) or (1,), all others (C,). The running statistics are moved in training, and may be
    None there.
    """
    # rho * y_bn + (1 - rho) * y_in, with each weight folded into its half's affine: two passes over x fewer
    y_bn = F.batch_norm(
        x,
        running_mean,
        running_var,
        rho * bn_weight,
        rho * bn_bias,
        training=training,
        momentum=momentum,
        eps=eps,
    )
    return y_bn + F.instance_norm(x, weight=(1 - rho) * in_weight, bias=(1 - rho) * in_bias, eps=eps)


def require_pixels(x: Tensor) -> None:
    """Raise ValueError for a map (N, C, 1, 1), in which every instance would be its own mean."""
    if x.shape[2] * x.shape[3] == 1:
        raise ValueError(
            f"instance normalisation needs more than one pixel, found a map of shape {tuple(x.shape)}; "
            "use larger images or a plain BatchNorm after pooling"
        )
