"""The descriptions of a run and of the MLflow experiment: the results come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from metabin.report.inputs import ReportInputs
    from metabin.tracking import Run

# Sections that the description leaves out: long tables, and the one whose table it begins with.
NOT_IN_NOTE = ("matrices", "rho_probe", "results")


def describe(
    run: Run,
    inputs: ReportInputs,
    labels: Mapping[str, str],
    trainings: pd.DataFrame,
    *,
    has_page: bool,
) -> None:
    """Write the descriptions of the run and of the MLflow experiment; the results come first."""
    from metabin.card import markdown
    from metabin.report.markdown import report_text
    from metabin.report.sections import build_sections
    from metabin.results import overview

    table = overview.by_held_out(inputs.scores, "mAP", labels, inputs.unseen)
    report = run.link("index.html" if has_page else "report.md")
    head = [
        markdown_table(table, inputs.trained),
        f"mAP in percent. No training saw the domain that a column is named after. "
        f"[The whole report]({report}) has rank-1, intervals and rho.",
    ]
    elsewhere = int((~trainings["is_below"]).sum())
    if elsewhere:
        head.append(
            f"{elsewhere} of {len(trainings)} trainings are unchanged, and recorded in the "
            f"experiment that made them: [their runs]({run.link('trainings.json')})."
        )
    sections = [item for item in build_sections(inputs) if item.anchor not in NOT_IN_NOTE]
    run.note("\n\n".join([*head, report_text(inputs, sections)]))
    means = [
        f"{markdown.plain(labels[name])} {mean:.1f}"
        for name, mean in zip(labels, table["unseen mean"], strict=True)
        if name in inputs.trained
    ]
    # The name has values of changed parameters.
    newest_run = f"[{markdown.plain(run.name)}]({run.link()})"
    newest = f"Newest: {newest_run}, unseen mAP in percent: {', '.join(means[::-1])}"
    run.note_experiment("\n\n".join([newest, *head[:2]]))


def markdown_table(table: pd.DataFrame, trained: Sequence[str]) -> str:
    """Return a table of results as markdown, the last trained method first.

    The MLflow UI shows only the first rows, and the meta-learned methods come last in a protocol.
    """
    from metabin.card import markdown

    order = [*range(len(trained))[::-1], *range(len(trained), len(table))]
    heads = [str(column).removesuffix(" (unseen)") for column in table.columns]
    rows = [
        [label, *(markdown.percent(number / 100) for number in numbers)]
        for label, *numbers in table.iloc[order].itertuples(index=False)
    ]
    return markdown.table(heads, rows)
