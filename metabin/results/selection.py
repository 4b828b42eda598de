"""Unseen mAP under three rules of checkpoint selection: last, best on sources, best on test."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metabin.results import tables
from metabin.results.best_step import best_step

TRAINING = ["fold", "method", "seed"]
COLUMNS = (*TRAINING, "step", "test_domain", "mAP", "rank1", "source_mAP")
LAST = "last"
SOURCE = "source"
ORACLE = "oracle"


def by_rule(candidates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return {rule: the rows of the steps that it selects}, one step per fold, method and seed.

    LAST selects the last step. SOURCE selects the highest mAP on the sources' held-out identities,
    or the last step if there are none. ORACLE selects the highest mean mAP on the held-out
    domains: it reads the test and is NOT PERMITTED. Of equal steps the later one is selected.

    Args:
        candidates: COLUMNS; one row per step and unseen test domain.
    """
    steps = candidates.groupby([*TRAINING, "step"])[["mAP", "source_mAP"]].mean()
    trainings = steps.reset_index("step").groupby(level=TRAINING)

    def best(column: str) -> pd.Series:
        return trainings.apply(
            lambda rows: best_step(dict(zip(rows["step"], rows[column], strict=True)))
        )

    selected = {LAST: trainings["step"].max(), SOURCE: best("source_mAP"), ORACLE: best("mAP")}
    return {
        rule: candidates.merge(step.rename("step").reset_index()) for rule, step in selected.items()
    }


def means(candidates: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return unseen mAP by rule: means over the held-out domains of all folds, then over seeds.

    Returns:
        Methods by (rule, number). "mean", "std" (over seeds, NaN for one): as in
        `tables.method_means`. "minus_last", "minus_last_std": the difference to LAST in the same
        training. "num_other": number of trainings in which the rule selects another step than LAST;
        "num_trainings": number of trainings.
    """
    rules = by_rule(candidates)
    keys = [*TRAINING, "test_domain"]
    last = rules[LAST].set_index(keys)[["step", "mAP"]].add_suffix("_last")
    numbers = {}
    for rule, rows in rules.items():
        joined = rows.join(last, on=keys)
        scores = joined.assign(role="unseen", minus_last=joined["mAP"] - joined["mAP_last"])
        differs = joined["step"] != joined["step_last"]
        other = differs.groupby([joined[name] for name in TRAINING]).first()
        counts = other.groupby(level="method").agg(num_other="sum", num_trainings="size")
        values = tables.method_means(scores, "unseen", "mAP", methods)[["mean", "std"]]
        differences = tables.method_means(scores, "unseen", "minus_last", methods)[["mean", "std"]]
        differences = differences.set_axis(["minus_last", "minus_last_std"], axis=1)
        counts = counts.reindex(list(methods), fill_value=0)
        numbers[rule] = pd.concat([values, differences, counts], axis=1)
    return pd.concat(numbers, axis=1)


def without_source_scores(candidates: pd.DataFrame) -> tuple[str, ...]:
    """Return the folds whose sources have no held-out identities, in the order of the rows.

    SOURCE selects the last step there.
    """
    missing = candidates["source_mAP"].isna().groupby(candidates["fold"], sort=False).all()
    return tuple(missing.index[missing])
