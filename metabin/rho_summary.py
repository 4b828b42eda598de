"""The summary of a layer's rho, for the history of a training and for MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NUM_BINS = 20  # equal bins on [0, 1]


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
