"""Scores of networks with forced and shifted rho: changes of mAP, best shifts, rho by depth."""

from __future__ import annotations

import numpy as np
import pandas as pd

RUN = ["fold", "method", "seed"]
TEST = [*RUN, "test_domain", "role"]


def score_changes(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with `change`: mAP minus that of the network as trained, on the same test.

    Args:
        scores: as `ReportInputs.rho_probe`. The shift 0 is the network as trained.
    """
    is_trained = (scores["kind"] == "shift") & (scores["value"] == 0)
    trained = scores[is_trained].set_index(TEST)["mAP"].rename("trained")
    joined = scores.join(trained, on=TEST)
    return joined.assign(change=joined["mAP"] - joined["trained"]).drop(columns="trained")


def shift_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Return method, role, value (the shift), change: means over tests and folds."""
    shifts = score_changes(scores).query("kind == 'shift'")
    curves = shifts.groupby(["method", "role", "value"], sort=False)["change"].mean()
    return curves.reset_index()


def forced_groups(scores: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return the mean change of mAP with rho forced: groups of layers by (role, forced value).

    Groups are in network order; all layers together come last.
    """
    forced = score_changes(scores).query("kind == 'force' and method == @method")
    means = forced.groupby(["group", "role", "value"], sort=False)["change"].mean()
    by_group = means.unstack(["role", "value"])
    return by_group.loc[list(dict.fromkeys(forced["group"]))].sort_index(axis=1)


def best_shifts(scores: pd.DataFrame) -> pd.DataFrame:
    """Return method, test_domain, role, shift, change: the shift with the highest mean over folds.

    NaN where no shift has a score.
    """
    keys = ["method", "test_domain", "role"]
    shifts = score_changes(scores).query("kind == 'shift'")
    means = shifts.groupby([*keys, "value"], sort=False)["change"].mean().reset_index()
    # idxmax fails on a group without any score; such tests come back with the merge.
    known = means.dropna(subset="change")
    rows = known.groupby(keys, sort=False)["change"].idxmax()
    best = known.loc[rows].rename(columns={"value": "shift"})
    return means[keys].drop_duplicates().merge(best, how="left", on=keys)


def depth_correlation(rho: pd.DataFrame) -> pd.DataFrame:
    """Return Spearman's correlation of a layer's mean rho at the last step with its depth.

    Args:
        rho: as `ReportInputs.rho`, layers in network order.

    Returns:
        fold, method, seed, correlation. NaN where all layers have the same mean rho.
    """
    rows = []
    for key, training in rho.groupby(RUN, sort=False):
        last = training[training["step"] == training["step"].max()]
        means = last["mean"].reset_index(drop=True)
        depth = pd.Series(range(len(last)), dtype=float)
        varies = means.nunique() > 1
        rows.append((*key, depth.corr(means, method="spearman") if varies else np.nan))
    return pd.DataFrame(rows, columns=[*RUN, "correlation"])
