"""Schedules as pure functions of the step; all steps count iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metabin.config import Meta, Optim


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happens when, in iterations."""

    num_steps: int
    warmup_steps: int
    milestones: tuple[int, ...]
    inner_period: int


def timeline(optim: Optim, meta: Meta, epoch_steps: int) -> Timeline:
    """The parameters' times in iterations.

    Args:
        epoch_steps: iterations of one epoch, >= 1; used where `optim.unit` is "epochs".
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
    """After how many steps the weights are kept: `count` evenly spaced times, the last at the end of the training.

    Rounded down; fewer where a training has fewer steps. Args: num_steps, count: >= 1.
    """
    return tuple(sorted({num_steps * k // count for k in range(1, count + 1)} - {0}))


def inner_step_size(meta: Meta, step: int, period: int) -> float:
    """The step size of the inner update at a 0-based step; the cycle runs from a hundredth of its peak."""
    if meta.inner_schedule == "fixed":
        return meta.inner_lr
    return triangle(step + 1, period=period, low=meta.inner_lr / 100, high=meta.inner_lr)


def warmup_milestones(
    step: int, *, warmup_steps: int, milestones: Sequence[int], gamma: float = 0.1, start: float = 0.01
) -> float:
    """Factor on the learning rate: linear from `start` to 1 over the warm-up, times gamma at every milestone passed.

    Args:
        step: >= 0, the iteration about to run. milestones: iterations from which the next gamma holds.
    Source: the reference's WarmupMultiStepLR.
    """
    warm = min(1.0, start + (1 - start) * step / warmup_steps) if warmup_steps else 1.0
    return warm * gamma ** sum(step >= milestone for milestone in milestones)


def triangle(step: int, *, period: int, low: float, high: float) -> float:
    """The cyclic inner step size: a triangle between `low` and `high`.

    The first meta step is step 1, already one notch above `low`; the peak comes period // 2 steps into each period.

    Args:
        step: >= 1. period: steps of a full cycle, >= 2.
    Source: torch's CyclicLR in mode "triangular", stepped before it is read, as the reference does.
    """
    rise = period // 2
    phase = step % period
    up = phase / rise if phase <= rise else (period - phase) / (period - rise)
    return low + (high - low) * up
