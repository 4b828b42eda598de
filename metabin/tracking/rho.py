"""The metrics of rho that a run records at a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from metabin.rho_summary import layer_groups

if TYPE_CHECKING:
    import numpy as np


def rho_metrics(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the metrics of one step.

    Over all channels the mean and the share below 0.5; the mean over the channels of each group of
    layers (see `layer_groups`). Single layers are in the pictures and in the table of histograms.

    Args:
        values: layer name -> rho of its channels, (C,), each in [0, 1], in network order.
    """
    import numpy as np

    channels = np.concatenate(list(values.values()))
    metrics = {
        "rho/all_mean": float(channels.mean()),
        "rho/frac_below_half": float((channels < 0.5).mean()),
    }
    for group, layers in layer_groups(list(values)).items():
        rho = np.concatenate([values[layer] for layer in layers])
        metrics[f"rho/mean_{group.replace(' to ', '-')}"] = float(rho.mean())
    return metrics
