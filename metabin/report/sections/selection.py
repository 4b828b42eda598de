"""Section "Checkpoint selection": unseen mAP under each rule of selecting a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from metabin.report.display import (
    DASH,
    MINUS,
    Cell,
    Table,
    method_rows,
    percent,
    points,
    spread_text,
)
from metabin.report.inputs import ReportInputs
from metabin.report.section import DataTable, Paragraph, Section
from metabin.report.style import styles_for
from metabin.results import selection

TITLE = "Checkpoint selection"
CEILING = "bin_target"  # learns on the held-out domain
HEADS = {
    selection.LAST: "last",
    selection.SOURCE: "selected on sources",
    selection.ORACLE: "selected on the test, NOT PERMITTED",
}


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None if every training has only one checkpoint."""
    if inputs.candidates.empty or _num_checkpoints(inputs).max() < 2:
        return None
    return Section(
        TITLE,
        "selection",
        "Checkpoint choice",
        (
            Paragraph(explanation(inputs)),
            DataTable(selection_table(inputs), "Unseen mAP under three rules of selection"),
        ),
    )


def selection_table(inputs: ReportInputs) -> Table:
    """Return unseen mAP of methods by rule.

    Rules other than the last checkpoint also have the difference to it, and the number of trainings
    in which they select another step.
    """
    means = selection.means(inputs.candidates, inputs.trained)
    # Without any score on sources the second rule is the first one: a dash instead of a copy.
    if inputs.candidates["source_mAP"].isna().all():
        means[selection.SOURCE] = float("nan")
    columns = []
    heads = []
    for rule, title in HEADS.items():
        numbers = pd.DataFrame(means[rule])
        columns.append(_cells(numbers, "mean", "std", percent))
        heads.append(title)
        if rule != selection.LAST:
            columns.append(_cells(numbers, "minus_last", "minus_last_std", points))
            counts = zip(numbers["num_other"], numbers["num_trainings"], strict=True)
            columns.append([_count_cell(*count) for count in counts])
            heads += [f"{MINUS} last", "other step"]
    return Table(
        corner="Method",
        groups=(("Unseen mAP by selection rule", len(heads)),),
        columns=tuple(heads),
        rows=method_rows(inputs, inputs.trained, columns),
    )


def explanation(inputs: ReportInputs) -> str:
    """Return the meaning of the rules."""
    sentences = [
        f"Unseen mAP, percent. {_num_checkpoints(inputs).max()} checkpoints of every training are "
        "kept. All other tables show the last one.",
        "The second rule selects the checkpoint that is best on held-out identities of the "
        "sources; like the first rule, it reads nothing of the held-out domains.",
        "The third rule selects the checkpoint that is best on the test itself. It shows what this "
        "would gain and is not a result.",
        f"{MINUS} last: difference to the last checkpoint. other step: number of trainings in "
        "which the rule selects another checkpoint.",
    ]
    if missing := selection.without_source_scores(inputs.candidates):
        sentences.append(
            f"{', '.join(missing)}: the sources have no held-out identities, so the second rule "
            "selects the last checkpoint."
        )
    for name in inputs.trained:
        if inputs.bases.get(name, name) == CEILING:
            label = styles_for(inputs.rows)[name].label
            sentences.append(f"{label} learns on the test: nothing in its row is permitted.")
    return " ".join(sentences)


def _num_checkpoints(inputs: ReportInputs) -> pd.Series:
    """Return the number of checkpoints of every training."""
    return inputs.candidates.groupby(selection.TRAINING)["step"].nunique()


def _count_cell(num_other: float, num_trainings: float) -> Cell:
    return Cell(DASH if math.isnan(num_other) else f"{num_other:.0f} of {num_trainings:.0f}")


def _cells(numbers: pd.DataFrame, value: str, std: str, text: Callable[[float], str]) -> list[Cell]:
    rows = zip(numbers[value], numbers[std], strict=True)
    return [Cell(text(mean), spread_text(spread)) for mean, spread in rows]
