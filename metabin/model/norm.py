"""Batch-instance normalisation with a learnable balance rho per channel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metabin.model.distributed import join_moments, move_running, num_ranks

RHO = "rho"  # the parameter's name in every layer that has one: the meta step finds rho by it


class BalancedNorm2d(nn.Module):
    """Base of the norms that mix batch and instance normalisation by a learnable balance rho.

    Holds rho, and the running statistics of the batch half; a subclass adds its affine. rho = 1 is
    batch normalisation, rho = 0 is instance normalisation. The training step keeps rho in [0, 1]
    (`clip_rho`), so that the gradient in a layer is that of its equation.

    Args:
        num_features: channels C.
        eps, momentum: as in torch.nn.BatchNorm2d.
        rho: start value in [0, 1].
        rho_per: "channel" as in the paper, or "layer": one rho (1,) for all channels.
    Raises:
        ValueError: a rho outside [0, 1].
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
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        size = num_features if rho_per == "channel" else 1
        self.joined = False  # see `metabin.model.joined.join_statistics`
        self.rho = nn.Parameter(torch.full((size,), float(rho)))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.add_affine()

    @abstractmethod
    def add_affine(self) -> None:
        """Register the parameters of the affine, (C,) each; the constructor calls it."""

    def joins_statistics(self) -> bool:
        """Return whether the batch half normalises with the statistics of all ranks."""
        return self.joined and self.training

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchInstanceNorm2d(BalancedNorm2d):
    """A convex mix per channel of two complete normalisations, each with its own affine.

        y_bn = bn_weight * (x - mean_batch) / sqrt(var_batch + eps) + bn_bias
        y_in = in_weight * (x - mean_image) / sqrt(var_image + eps) + in_bias
        y    = rho * y_bn + (1 - rho) * y_in

    In training the batch half uses the statistics of the batch and moves the running ones; in
    evaluation it uses the running ones. The instance half always uses the statistics of the image.

    This is the plain equation. Networks use
    `metabin.model.fused.layers.FusedBatchInstanceNorm2d`, which computes the same in few passes
    over the maps.

    Args: as of `BalancedNorm2d`.
    Shapes: (N, C, H, W) -> (N, C, H, W) with H * W > 1 (an instance of one pixel has no variance).
    Source: MetaBIN, section 3.1; the reference's `BIN_gate2`.
    """

    def add_affine(self) -> None:
        self.bn_weight = nn.Parameter(torch.ones(self.num_features))
        self.bn_bias = nn.Parameter(torch.zeros(self.num_features))
        self.in_weight = nn.Parameter(torch.ones(self.num_features))
        self.in_bias = nn.Parameter(torch.zeros(self.num_features))

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
            joined=self.joins_statistics(),
        )


def is_rho(name: str) -> bool:
    """Return whether a parameter's full name is that of a balance."""
    return name.split(".")[-1] == RHO


def rho_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the balance parameters by their full names, in the order of the network."""
    return {name: value for name, value in model.named_parameters() if is_rho(name)}


def layer_of(name: str) -> str:
    """Return the layer of a balance: "backbone.block1.norm1.rho" -> "block1.norm1"."""
    return name.removeprefix("backbone.").removesuffix(f".{RHO}")


@torch.no_grad()
def clip_rho(model: nn.Module) -> None:
    """Put every rho back into [0, 1]."""
    for parameter in rho_of(model).values():
        parameter.clamp_(0, 1)


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
    joined: bool,
) -> Tensor:
    """Compute the equation of `BatchInstanceNorm2d` in torch's own operations.

    `metabin.model.fused` is tested against this function.

    Training moves the running statistics, which may be None there. `joined` is as of `batch_norm`.

    Shapes: x (N, C, H, W), rho (C,) or (1,), all others (C,).
    """
    # y = rho * y_bn + (1 - rho) * y_in, with rho folded into the affine of each half: that saves
    # two passes over x.
    y_bn = batch_norm(
        x,
        running_mean,
        running_var,
        rho * bn_weight,
        rho * bn_bias,
        training=training,
        momentum=momentum,
        eps=eps,
        joined=joined,
    )
    y_in = F.instance_norm(x, weight=(1 - rho) * in_weight, bias=(1 - rho) * in_bias, eps=eps)
    return y_bn + y_in


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    *,
    training: bool,
    momentum: float,
    eps: float,
    joined: bool,
) -> Tensor:
    """Compute torch's batch_norm; `joined`, with the statistics of the batch of all ranks.

    torch's own SyncBatchNorm has no CPU version, and its gradient cannot be differentiated.
    """
    if not joined:
        return F.batch_norm(
            x, running_mean, running_var, weight, bias, training, momentum=momentum, eps=eps
        )
    maps = x.to(weight.dtype)  # half precision has too few digits for a variance
    var, mean = torch.var_mean(maps, dim=(0, 2, 3), correction=0)
    mean, var = join_moments(mean, var)
    num_values = num_ranks() * x[:, 0].numel()
    move_running(running_mean, running_var, mean, var, momentum, num_values)
    scale = weight * (var + eps).rsqrt()
    y = (maps - mean[:, None, None]) * scale[:, None, None] + bias[:, None, None]
    return y.to(x.dtype)


def require_pixels(x: Tensor) -> None:
    """Raise ValueError for maps (N, C, 1, 1), in which every pixel is its own mean."""
    if x.shape[2] * x.shape[3] == 1:
        raise ValueError(
            "instance normalisation needs more than one pixel, "
            f"found a map of shape {tuple(x.shape)}; "
            "use larger images or a plain BatchNorm after pooling"
        )
