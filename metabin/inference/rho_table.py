"""The table of rho by layer of a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from metabin.errors import ConfigError
from metabin.model.norm import layer_of, rho_of
from metabin.rho_summary import summarize_rho

NEAR = 0.1  # distance from 0 or 1 that counts as near
ALL = "all"  # name of the row over all layers


def rho_table(network: nn.Module) -> pd.DataFrame:
    """Return the rho of every layer, in the order of the network, and of all of them.

    Returns:
        One row per layer: layer, num_rho (channels, or 1 for a rho per layer), mean, q10, q90
        (quantiles), near_0 (share of rho <= NEAR: instance normalisation), near_1 (share of rho
        >= 1 - NEAR: batch normalisation).

    Raises:
        ConfigError: The network has no rho.
    """
    values = {layer_of(name): rho.detach().cpu().numpy() for name, rho in rho_of(network).items()}
    if not values:
        raise ConfigError(
            "the norms of this model have no rho; expected is a model of a method with "
            "batch-instance normalisation, such as bin_joint or metabin"
        )
    rows = [_row(name, rho) for name, rho in values.items()]
    rows.append(_row(ALL, np.concatenate(list(values.values()))))
    return pd.DataFrame(rows)


def _row(name: str, rho: np.ndarray) -> dict[str, Any]:
    summary = summarize_rho(rho)
    return {
        "layer": name,
        "num_rho": len(rho),
        "mean": summary.mean,
        "q10": summary.q10,
        "q90": summary.q90,
        "near_0": float((rho <= NEAR).mean()),
        "near_1": float((rho >= 1 - NEAR).mean()),
    }
