"""The results of a run at a glance, in percent: methods by held-out domains, and a few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from metabin.results import tables
from metabin.results.comparisons import MethodComparison

METRICS = ("mAP", "rank1", "mINP")
MAX_NUMBERS = 12  # more would not be read
UNSEEN = "{} (unseen)"  # heading of a held-out domain
PERCENT = 100.0


def by_held_out(
    scores: pd.DataFrame, metric: str, labels: Mapping[str, str], cells: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return a metric in percent, methods by held-out domains, with the means; NaN if not tested.

    Args:
        labels: method -> its name in the table, in the order of the rows.
        cells: fold and test domain of the unseen tests. A domain that several folds hold out has a
            column for each, with the name of the fold.
    """
    methods = list(labels)
    table = tables.unseen_by_cell(scores, metric, methods, cells) * PERCENT
    domains = [domain for _, domain in cells]
    names = [
        domain if domains.count(domain) == 1 else f"{domain} of {fold}" for fold, domain in cells
    ]
    table.columns = pd.Index([UNSEEN.format(name) for name in names])
    for place, role in enumerate(("unseen", "seen")):
        means = tables.method_means(scores, role, metric, methods)["mean"]
        table.insert(place, f"{role} mean", means * PERCENT)
    table.insert(0, "method", [labels[method] for method in methods])
    return table.round(2).reset_index(drop=True)


def all_cells(scores: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return role and metrics in percent of every method, fold and tested domain.

    Metrics are means over seeds.
    """
    keys = ["method", "fold", "test_domain", "role"]
    means = scores.groupby(keys, sort=False)[list(METRICS)].mean().reset_index()
    means[list(METRICS)] = (means[list(METRICS)] * PERCENT).round(2)
    means = means[means["method"].isin(list(labels))]
    means["method"] = means["method"].map(labels)
    return means.rename(columns={"fold": "held_out", "test_domain": "tested"})


def headline(
    scores: pd.DataFrame, methods: Sequence[str], comparisons: Sequence[MethodComparison]
) -> dict[str, float]:
    """Return at most `MAX_NUMBERS` numbers in percent, the most important first.

    Unseen mAP of all trained methods comes first; then the first comparison, as a difference in
    points with the ends of its interval; then seen mAP and unseen rank-1 of the compared methods;
    then seen mAP of the others.

    Args:
        methods: the trained methods; the last ones are the meta-learned.
    """
    summary = tables.summary(scores, methods)
    values = {f"unseen_mAP/{name}": summary[name]["unseen"]["mAP"] for name in reversed(methods)}
    compared = [*reversed(methods)][:2]
    for comparison in comparisons[:1]:
        pair = comparison.pair
        compared = [pair.method, *pair.opponents]
        interval = comparison.over_units.difference if comparison.over_units else None
        values[pair.key] = comparison.difference
        values[f"{pair.key}/low"] = interval.low if interval else None
        values[f"{pair.key}/high"] = interval.high if interval else None
    values |= {f"seen_mAP/{name}": summary[name]["seen"]["mAP"] for name in compared}
    values |= {f"unseen_rank1/{name}": summary[name]["unseen"]["rank1"] for name in compared}
    values |= {f"seen_mAP/{name}": summary[name]["seen"]["mAP"] for name in methods}
    known = {key: round(value * PERCENT, 2) for key, value in values.items() if value is not None}
    return dict(list(known.items())[:MAX_NUMBERS])


def of_training(scores: pd.DataFrame) -> dict[str, float]:
    """Return the numbers of one training in percent: mAP and rank-1, unseen and seen.

    Args:
        scores: the rows of the training.
    """
    means = scores.groupby("role")[["mAP", "rank1"]].mean() * PERCENT
    return {
        f"{role}_{metric}": round(value, 2)
        for metric in means
        for role, value in means[metric].dropna().items()
    }
