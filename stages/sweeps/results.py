"""The results of a sweep: a table of its trials, and the best of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metabin.config.editing import as_text

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study
    from optuna.trial import FrozenTrial

# Attributes of a trial: its values, and whether they are the present ones of params.yaml.
VALUES = "values"
PRESENT = "present"


def num_ended(study: Study) -> int:
    """Return the number of trials that have all folds or were stopped for their score."""
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials)


def as_table(study: Study) -> pd.DataFrame:
    """Return a row for each trial: its state, score in percent, number of folds, and values."""
    import pandas as pd

    rows = []
    for trial in study.trials:
        reached = [value for _, value in sorted(trial.intermediate_values.items())]
        rows.append(
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                "source_mAP": 100 * reached[-1] if reached else None,
                "folds": len(reached),
                **trial.user_attrs.get(VALUES, {}),
            }
        )
    return pd.DataFrame(rows)


def conclusion(study: Study, name: str) -> str:
    """Return the best trial, and the command that runs the whole pipeline with its values."""
    best = study.best_trial
    changes = [f"{key}={as_text(value)}" for key, value in best.user_attrs[VALUES].items()]
    settings = " ".join(f"-S {shlex.quote(change)}" for change in changes)
    lines = [f"== best of {num_ended(study)} trials: {name}-{best.number}, {_scored(best)}"]
    present = [trial for trial in study.trials if PRESENT in trial.user_attrs]
    if present and present[-1].number != best.number:  # the last: a kill may have ended others
        lines.append(f"   the present values: {name}-{present[-1].number}, {_scored(present[-1])}")
    lines.append(f"   its evaluation and report: dvc exp run {settings}")
    return "\n".join(lines)


def _scored(trial: FrozenTrial) -> str:
    score = "no score" if trial.value is None else f"source mAP {100 * trial.value:.1f}"
    return f"{score} with {listed(trial.user_attrs[VALUES])}"


def listed(values: Mapping[str, Any]) -> str:
    """Return values as text: "optim.lr=0.01, meta.inner_lr=1.0"."""
    return ", ".join(f"{key}={as_text(value)}" for key, value in values.items())
