"""What a headline is worth under three rules of taking a checkpoint: the last, by the sources, by the target."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metabin.results import tables
from metabin.results.best_step import choose

TRAINING = ["fold", "method", "seed"]
COLUMNS = (*TRAINING, "step", "test_domain", "mAP", "rank1", "source_mAP")
LAST, SOURCE, ORACLE = "last", "source", "oracle"


def by_rule(candidates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """{rule: the rows of the steps that it takes}, one step for each fold, method and seed.

    LAST takes the last step. SOURCE takes the highest mAP on the sources' held-out identities, and the last step where
    there are none. ORACLE takes the highest mean mAP on the held-out domains: it reads the test and is NOT PERMITTED.
    Of equal steps the later one is taken.

    Args:
        candidates: COLUMNS; a row for each step and unseen test domain.
    """
    steps = candidates.groupby([*TRAINING, "step"])[["mAP", "source_mAP"]].mean().reset_index("step")
    trainings = steps.groupby(level=TRAINING)
    taken = {
        LAST: trainings["step"].max(),
        SOURCE: trainings.apply(lambda found: choose(dict(zip(found["step"], found["source_mAP"], strict=True)))),
        ORACLE: trainings.apply(lambda found: choose(dict(zip(found["step"], found["mAP"], strict=True)))),
    }
    return {rule: candidates.merge(step.rename("step").reset_index()) for rule, step in taken.items()}


def means(candidates: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Methods by rule and number, from unseen mAP over the held-out domains of all folds, then over seeds.

    Returns:
        Columns (rule, number). "mean", "std" (over seeds, NaN for one): as in `tables.method_means`. "less_last",
        "less_last_std": the difference to LAST in the same training. "num_other": trainings in which the rule takes
        another step than LAST; "num_trainings": of how many.
    """
    rules = by_rule(candidates)
    keys = [*TRAINING, "test_domain"]
    last = rules[LAST].set_index(keys)[["step", "mAP"]].add_suffix("_last")
    found = {}
    for rule, rows in rules.items():
        beside = rows.join(last, on=keys)
        scores = beside.assign(role="unseen", less_last=beside["mAP"] - beside["mAP_last"])
        other = (beside["step"] != beside["step_last"]).groupby([beside[name] for name in TRAINING]).first()
        counts = other.groupby(level="method").agg(num_other="sum", num_trainings="size")
        values, differences = (
            tables.method_means(scores, "unseen", column, methods)[["mean", "std"]] for column in ("mAP", "less_last")
        )
        differences = differences.set_axis(["less_last", "less_last_std"], axis=1)
        found[rule] = pd.concat([values, differences, counts.reindex(list(methods), fill_value=0)], axis=1)
    return pd.concat(found, axis=1)


def without_source_scores(candidates: pd.DataFrame) -> tuple[str, ...]:
    """The folds whose sources have no held-out identities, so that SOURCE is LAST there, in the order of the rows."""
    missing = candidates["source_mAP"].isna().groupby(candidates["fold"], sort=False).all()
    return tuple(missing.index[missing])
