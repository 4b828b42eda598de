"""Schedules as pure functions of the step. All steps count iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metabin.config import Meta, Optim


@dataclass(frozen=True, slots=True)
class Timeline:
    """The times of a training, in iterations."""

    num_steps: int
    warmup_steps: int
    milestones: tuple[int, ...]
    inner_period: int


def timeline(optim: Optim, meta: Meta, epoch_steps: int) -> Timeline:
    """Convert the times in the parameters to iterations.

    Args:
        optim, meta: sections of params.yaml.
        epoch_steps: iterations of one epoch, >= 1; used if `optim.unit` is "epochs".
    Source: the reference multiplies its epochs by its iterations per epoch in the same way.
    """
    unit = epoch_steps if optim.unit == "epochs" else 1
    return Timeline(
        unit * optim.duration,
        unit * optim.warmup,
        tuple(unit * milestone for milestone in optim.milestones),
        unit * meta.inner_period,
    )


def candidate_steps(num_steps: int, count: int) -> tuple[int, ...]:
    """Return the numbers of steps after which the weights are saved.

    These are `count` evenly spaced times, rounded down; the last is the end of the training. A
    training with fewer steps has fewer.

    Args:
        num_steps: of the training, >= 1.
        count: number of candidates, >= 1.
    """
    # floor(num_steps * k / count) for k = 1 ... count
    return tuple(sorted({num_steps * k // count for k in range(1, count + 1)} - {0}))


def inner_step_size(meta: Meta, step: int, period: int) -> float:
    """Return the step size of the inner update.

    The cycle begins at a hundredth of its peak `meta.inner_lr`.

    Args:
        meta: section of params.yaml.
        step: >= 0, the iteration about to run.
        period: steps of a full cycle, >= 2.
    """
    if meta.inner_schedule == "fixed":
        return meta.inner_lr
    return triangle(step + 1, period=period, low=meta.inner_lr / 100, high=meta.inner_lr)


def warmup_milestones(
    step: int,
    *,
    warmup_steps: int,
    milestones: Sequence[int],
    gamma: float = 0.1,
    start: float = 0.01,
) -> float:
    """Return the factor of the learning rate.

    It rises linearly from `start` to 1 over the warm-up, and is multiplied by `gamma` at every
    milestone.

    Args:
        step: >= 0, the iteration about to run.
        warmup_steps: 0 for no warm-up.
        milestones: iterations from which the next gamma holds.
        gamma, start: factors.
    Source: the reference's WarmupMultiStepLR.
    """
    # start + (1 - start) * step / warmup_steps, at most 1
    warm = min(1.0, start + (1 - start) * step / warmup_steps) if warmup_steps else 1.0
    return warm * gamma ** sum(step >= milestone for milestone in milestones)


def triangle(step: int, *, period: int, low: float, high: float) -> float:
    """Return the cyclic inner step size: a triangle between `low` and `high`.

    The first meta step is step 1, already above `low`. The peak is at step period // 2 of each
    period.

    Args:
        step: >= 1.
        period: steps of a full cycle, >= 2.
        low, high: smallest and largest step size.
    Source: torch's CyclicLR in mode "triangular", stepped before it is read, as the reference does.
    """
    rise = period // 2
    phase = step % period
    # 0 -> 1 in `rise` steps, and 1 -> 0 in the other period - rise steps
    up = phase / rise if phase <= rise else (period - phase) / (period - rise)
    return low + (high - low) * up
