"""Which checkpoint: what the headline would be under each rule of taking one of a training's candidates."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from metabin.report.display import DASH, Cell, Table, method_rows, percent, points, spread_text
from metabin.report.inputs import ReportInputs
from metabin.report.style import styles_for
from metabin.results import selection

TITLE = "Which checkpoint"
HEADS = {
    selection.LAST: "last",
    selection.SOURCE: "chosen on sources",
    selection.ORACLE: "chosen on the test, NOT PERMITTED",
}


def table(inputs: ReportInputs) -> Table | None:
    """Methods by rule: unseen mAP, and for the rules that choose the difference to the last; None without candidates.

    None too where every training has one candidate, so that there is nothing to choose.
    """
    if inputs.candidates.empty or inputs.candidates.groupby(selection.TRAINING)["step"].nunique().max() < 2:
        return None
    means = selection.means(inputs.candidates, inputs.trained)
    if inputs.candidates["source_mAP"].isna().all():
        means[selection.SOURCE] = float("nan")
    columns, heads = [], []
    for rule, title in HEADS.items():
        found = pd.DataFrame(means[rule])
        columns.append(_cells(found, "mean", "std", percent))
        heads.append(title)
        if rule != selection.LAST:
            columns.append(_cells(found, "less_last", "less_last_std", points))
            columns.append([_steps(*both) for both in zip(found["num_other"], found["num_trainings"], strict=True)])
            heads += ["less last", "another step"]
    return Table(
        corner="Method",
        groups=(("Unseen mAP by the checkpoint that is taken", len(heads)),),
        columns=tuple(heads),
        rows=method_rows(inputs, inputs.trained, columns),
    )


def explanation(inputs: ReportInputs) -> str:
    """How to read the table."""
    counts = inputs.candidates.groupby(selection.TRAINING)["step"].nunique()
    text = (
        f"Of every training {counts.max()} checkpoints are kept. The last is what all other tables show. The second "
        "rule takes the one that is best on held-out identities of the sources; like the last, it looks at nothing of "
        "the held-out domains. The third takes the one that is best on the test itself: what is gained by choosing so, "
        "and no result."
    )
    if missing := selection.without_source_scores(inputs.candidates):
        text += f" {', '.join(missing)}: the sources have no held-out identities, so the second rule takes the last."
    for name in [name for name in inputs.trained if inputs.bases.get(name, name) == "bin_target"]:
        text += f" {styles_for(inputs.rows)[name].label} learns on the test: nothing in its row is permitted."
    return text


def _steps(num_other: float, num_trainings: float) -> Cell:
    return Cell(DASH if math.isnan(num_other) else f"{num_other:.0f} of {num_trainings:.0f}")


def _cells(found: pd.DataFrame, value: str, std: str, text: Callable[[float], str]) -> list[Cell]:
    return [Cell(text(mean), spread_text(spread)) for mean, spread in zip(found[value], found[std], strict=True)]
