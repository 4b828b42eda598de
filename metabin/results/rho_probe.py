"""From the scores of forced and shifted rho to what is shown: changes, preferences, and how rho goes with depth."""

from __future__ import annotations

import numpy as np
import pandas as pd

RUN = ["fold", "method", "seed"]
TEST = [*RUN, "test_domain", "role"]


def changes(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows with `change`: mAP less that of the network as it was trained (the shift 0) on the same test."""
    trained = scores[(scores["kind"] == "shift") & (scores["value"] == 0)].set_index(TEST)["mAP"].rename("trained")
    joined = scores.join(trained, on=TEST)
    return joined.assign(change=joined["mAP"] - joined["trained"]).drop(columns="trained")


def shift_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """method, role, value (the shift), change: means over tests and folds."""
    shifts = changes(scores).query("kind == 'shift'")
    return shifts.groupby(["method", "role", "value"], sort=False)["change"].mean().reset_index()


def forced_groups(scores: pd.DataFrame, method: str) -> pd.DataFrame:
    """Groups of layers, in network order and all of them last, by (role, forced value): mean change."""
    forced = changes(scores).query("kind == 'force' and method == @method")
    means = forced.groupby(["group", "role", "value"], sort=False)["change"].mean().unstack(["role", "value"])
    return means.loc[list(dict.fromkeys(forced["group"]))].sort_index(axis=1)


def preferences(scores: pd.DataFrame) -> pd.DataFrame:
    """method, test_domain, role, shift: of the tried shifts, the one with the highest mean over folds.

    NaN where no shift has a score.
    """
    keys = ["method", "test_domain", "role"]
    shifts = changes(scores).query("kind == 'shift'")
    means = shifts.groupby([*keys, "value"], sort=False)["change"].mean().reset_index()
    known = means.dropna(subset="change")
    best = known.loc[known.groupby(keys, sort=False)["change"].idxmax()].rename(columns={"value": "shift"})
    return means[keys].drop_duplicates().merge(best, how="left", on=keys)


def depth_correlation(rho: pd.DataFrame) -> pd.DataFrame:
    """fold, method, seed, correlation: Spearman's, of a layer's mean rho at the last step with its place.

    Args:
        rho: as `ReportInputs.rho`, layers in network order. Methods with the same mean in every layer have no
            correlation (NaN).
    """
    rows = []
    for key, found in rho.groupby(RUN, sort=False):
        last = found[found["step"] == found["step"].max()]
        place = pd.Series(range(len(last)), dtype=float)
        varies = last["mean"].nunique() > 1
        rows.append((*key, place.corr(last["mean"].reset_index(drop=True), method="spearman") if varies else np.nan))
    return pd.DataFrame(rows, columns=[*RUN, "correlation"])
