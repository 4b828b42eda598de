"""The metrics of rho that a run records at a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from metabin.rho_summary import summarize_rho

if TYPE_CHECKING:
    import numpy as np

ALL_LAYERS = "rho/all layers"  # the key of the picture of all layers


def rho_metrics(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the metrics of one step.

    Per layer the mean and the 10 % and 90 % quantiles; over all channels the mean and the share
    below 0.5.

    Args:
        values: layer name -> rho of its channels, (C,), each in [0, 1].
    """
    import numpy as np

    metrics: dict[str, float] = {}
    for layer, rho in values.items():
        summary = summarize_rho(rho)
        metrics[f"rho.{layer}/mean"] = summary.mean
        metrics[f"rho.{layer}/q10"] = summary.q10
        metrics[f"rho.{layer}/q90"] = summary.q90
    channels = np.concatenate(list(values.values()))
    metrics["rho/all_mean"] = float(channels.mean())
    metrics["rho/frac_below_half"] = float((channels < 0.5).mean())
    return metrics
