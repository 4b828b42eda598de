"""Statistics of the batch of all ranks: see `metabin.model.distributed`.

The notation is that of `metabin.model.fused.interface`. The kernels merge and differentiate the
images of one rank. Between their two passes over the maps, ranks exchange two numbers per channel
in each direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from metabin.model.distributed import all_sum, join_moments, move_running, num_ranks
from metabin.model.fused.interface import Parameters, Running, Settings, Statistics

Combine = Callable[[Running, Settings], Statistics]


def joined_statistics(
    combine: Combine, like: Tensor, num_values: int, running: Running, settings: Settings
) -> Statistics:
    """Return the statistics where those of the batch are those of all ranks.

    Args:
        combine: computes the statistics from the moments of the images of this rank, and moves the
            running statistics.
        like: a tensor (C,) of the type of the moments.
        num_values: per channel, of this rank.
        running: moved by the statistics of all ranks.
    """
    # With momentum 1, running statistics become those of the batch: r <- r + 1 (s - r).
    own_mean, own_var = torch.zeros_like(like), torch.zeros_like(like)
    combine(Running(own_mean, own_var), replace(settings, momentum=1.0))
    biased = own_var * ((num_values - 1) / num_values)
    mean, var = join_moments(own_mean, biased)
    move_running(*running, mean, var, settings.momentum, num_values * num_ranks())
    return combine(Running(mean, var), replace(settings, training=False))


def add_batch_terms(
    slope: Tensor,
    offset: Tensor,
    sums: tuple[Tensor, Tensor],
    statistics: Statistics,
    parameters: Parameters,
    num_values: int,
) -> None:
    """Add to dx, given as slope and offset, what passes through the statistics of the batch.

        - rho bn_weight s / (P N) (total + (x - m) s batch_total),   x - m = (x - m_n) + d_n

    N and both totals are those of all ranks.

    Args:
        slope, offset: (N, C), changed in place.
        sums: sum0_n and sum1_n, (N, C) each.
        num_values: P N of all ranks.
    """
    sum0, sum1 = sums
    *_, deviation, _, batch_rstd = statistics
    own = torch.stack([sum0.sum(0), (sum1 + sum0 * deviation).sum(0) * batch_rstd])
    total, batch_total = all_sum(own)
    batch_scale = parameters.rho * parameters.bn_weight * batch_rstd / num_values
    batch_slope = -batch_scale * batch_rstd * batch_total
    slope += batch_slope
    offset += batch_slope * deviation - batch_scale * total
