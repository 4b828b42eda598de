"""The summary of a layer's rho, and groups of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NUM_BINS = 20  # equal bins on [0, 1]
STEM = "stem"
MAX_GROUPS = 6


@dataclass(frozen=True, slots=True)
class RhoSummary:
    """The distribution of rho over the channels of a layer."""

    mean: float
    q10: float  # 10 % of the channels are below
    q90: float
    histogram: np.ndarray  # (NUM_BINS,) channels in each bin


def summarize_rho(rho: np.ndarray) -> RhoSummary:
    """Summarize the rho of one layer, (C,) in [0, 1]."""
    import numpy as np

    counts, _ = np.histogram(rho, bins=NUM_BINS, range=(0, 1))
    q10, q90 = np.quantile(rho, [0.1, 0.9])
    return RhoSummary(float(rho.mean()), float(q10), float(q90), counts)


def layer_groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Group a backbone's layers by stage, into at most `MAX_GROUPS` groups.

    A stage is the shortest beginning of the dotted names that tells two stages apart. A first stage
    of a single layer is the stem. If there are more stages than groups, the first is a group of its
    own and the others are merged into runs of neighbours with about as many layers each.

    Args:
        names: dotted names, in network order.

    Returns:
        The names of each group, in network order.
    """
    stages = _stages(names)
    first, *others = stages
    runs = [[stage] for stage in others] if len(stages) <= MAX_GROUPS else _merge(others, stages)
    groups = {STEM if len(stages[first]) == 1 else first: stages[first]}
    for run in runs:
        title = run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
        groups[title] = tuple(name for stage in run for name in stages[stage])
    return groups


def _stages(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Group names by their first part, or by as many parts as tell two stages apart."""
    depth = 0
    stages: dict[str, tuple[str, ...]] = {}
    while len(stages) < min(2, len(names)):
        depth += 1
        stages = {}
        for name in names:
            stage = ".".join(name.split(".")[:depth])
            stages[stage] = (*stages.get(stage, ()), name)
    return stages


def _merge(names: Sequence[str], stages: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Merge stages into at most `MAX_GROUPS` - 1 runs of neighbours, by their number of layers."""
    import numpy as np

    counts = np.array([len(stages[name]) for name in names])
    # The middle of each stage among all layers, in [0, 1], decides its run: no stage is split.
    middles = (counts.cumsum() - counts / 2) / counts.sum()
    runs: list[list[str]] = [[] for _ in range(MAX_GROUPS - 1)]
    for name, middle in zip(names, middles, strict=True):
        runs[int(middle * (MAX_GROUPS - 1))].append(name)
    return [run for run in runs if run]
