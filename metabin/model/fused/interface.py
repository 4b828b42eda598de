"""Values that pass between the operation and its kernels, and the algebra of both.

Notation, per channel:

    m_n, v_n   mean and variance of image n over its pixels;  s_n = 1 / sqrt(v_n + eps)
    m, v       those of the batch, or the running ones;       s   = 1 / sqrt(v + eps)
    d_n        m_n - m
    N, P       images, and pixels per image
    g          the gradient with respect to y where the clip passes it, 0 elsewhere

Forward. The statistics of the batch follow from those of the images:

    m = mean_n m_n,    v = mean_n (v_n + d_n^2)          the variance within and between images

Both halves of the equation in `metabin.model.norm` are affine in x. With x - m = (x - m_n) + d_n

    y = rho (bn_weight (x - m) s + bn_bias) + (1 - rho) (in_weight (x - m_n) s_n + in_bias)
      = scale_n (x - m_n) + shift_n
    scale_n = rho bn_weight s + (1 - rho) in_weight s_n
    shift_n = rho bn_bias + (1 - rho) in_bias + rho bn_weight s d_n

Backward. The gradients need two sums over the pixels of each image,

    sum0_n = sum_p g,    sum1_n = sum_p g (x - m_n)

and three sums over the batch that follow from them:

    total       = sum_np g              = sum_n sum0_n
    batch_total = sum_np g (x - m) s    = s sum_n (sum1_n + d_n sum0_n)
    image_total = sum_np g (x - m_n) s_n = sum_n s_n sum1_n

    d rho       = sum_np g (y_bn - y_in)
                = bn_weight batch_total + bn_bias total - in_weight image_total - in_bias total
    d bn_weight = rho batch_total          d in_weight = (1 - rho) image_total
    d bn_bias   = rho total                d in_bias   = (1 - rho) total

x acts on y through its value, through the statistics of its image, and in training through those of
the batch:

    dx = scale_n g
       - (1 - rho) in_weight s_n / P    (sum0_n + (x - m_n) s_n^2 sum1_n)
       - rho bn_weight s / (P N)        (total + (x - m) s batch_total)
       = scale_n g + slope_n (x - m_n) + offset_n
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one call.

    Args:
        low, high: bounds of y; (0, inf) is a ReLU.
        joined: whether in training the statistics of the batch are those of all ranks.
    """

    training: bool
    momentum: float
    eps: float
    low: float = -math.inf
    high: float = math.inf
    joined: bool = False


class Parameters(NamedTuple):
    """The parameters of a layer, (C,) each."""

    rho: Tensor
    bn_weight: Tensor
    bn_bias: Tensor
    in_weight: Tensor
    in_bias: Tensor


class Running(NamedTuple):
    """Running statistics, (C,) each; None where the statistics of the batch are not recorded."""

    mean: Tensor | None
    var: Tensor | None


class Statistics(NamedTuple):
    """What the backward pass needs of the forward pass, beside x.

    Attributes:
        mean: m_n, (N, C).
        scale: (N, C).
        shift: (N, C).
        deviation: d_n, (N, C).
        image_rstd: s_n, (N, C).
        batch_rstd: s, (C,).
    """

    mean: Tensor
    scale: Tensor
    shift: Tensor
    deviation: Tensor
    image_rstd: Tensor
    batch_rstd: Tensor


class Kernels(Protocol):
    """The arithmetic on one kind of device. Maps are (N, C, H, W)."""

    def statistics(
        self, x: Tensor, parameters: Parameters, running: Running, settings: Settings
    ) -> Statistics:
        """Compute the statistics; in training, move the running ones in place."""
        ...

    def forward(
        self, x: Tensor, residual: Tensor | None, statistics: Statistics, settings: Settings
    ) -> Tensor:
        """Compute y = clip(scale (x - m_n) + shift + residual)."""
        ...

    def backward(
        self,
        x: Tensor,
        grad: Tensor,
        statistics: Statistics,
        parameters: Parameters,
        settings: Settings,
        *,
        with_dx: bool,
    ) -> tuple[Tensor | None, Parameters]:
        """Compute dx, None without `with_dx`, and the gradients of the parameters."""
        ...
