"""Section "Final model": models that trained on all data sets, and what to expect of them."""

from __future__ import annotations

import math

from metabin.report.display import Cell, Table, method_rows, percent, spread_text
from metabin.report.inputs import ReportInputs
from metabin.report.section import Bullets, DataTable, Paragraph, Section
from metabin.report.style import styles_for
from metabin.results import tables

METRICS = {"mAP": "mAP", "rank1": "rank-1"}


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None if no model trained on all data sets."""
    if not inputs.final_models:
        return None
    styles = styles_for(inputs.rows)
    folders = [f"{styles[name].label}: {path}" for name, path in inputs.final_models.items()]
    return Section(
        "Final model",
        "final",
        "Final model",
        (
            Paragraph(explanation(inputs)),
            Bullets(folders),
            DataTable(final_table(inputs), "Scores of the final model and of the folds"),
        ),
    )


def explanation(inputs: ReportInputs) -> str:
    """Return which domains the models learned, and which number says what to expect of them."""
    sentences = [
        f"The final model trains on all domains ({', '.join(inputs.domains)}) and is for use at "
        "new places.",
        "No domain is held out from it. Expect there the unseen mean of the same method over the "
        "folds, which train on fewer domains.",
    ]
    if inputs.final_scores.empty:
        sentences.append("All identities train, so the final model itself has no scores.")
    else:
        sentences.append("Seen: the identities of each domain that are held out of training.")
    return " ".join(sentences)


def final_table(inputs: ReportInputs) -> Table:
    """Return the seen means of every final model, and the unseen means of its method over folds."""
    names = list(inputs.final_models)
    seen = [_seen_column(inputs, metric) for metric in METRICS]
    unseen = [_unseen_column(inputs, metric) for metric in METRICS]
    return Table(
        corner="Method",
        groups=(("Final model: seen, mean", len(seen)), ("Folds: unseen, mean", len(unseen))),
        columns=(*METRICS.values(), *METRICS.values()),
        rows=method_rows(inputs, names, [*seen, *unseen]),
    )


def _seen_column(inputs: ReportInputs, metric: str) -> list[Cell]:
    """Return the mean over the domains of every final model."""
    if inputs.final_scores.empty:
        return [Cell(percent(math.nan)) for _ in inputs.final_models]
    means = inputs.final_scores.groupby("method")[metric].mean()
    return [Cell(percent(mean)) for mean in means.reindex(list(inputs.final_models))]


def _unseen_column(inputs: ReportInputs, metric: str) -> list[Cell]:
    """Return the mean over the unseen cells of every method with a final model."""
    means = tables.method_means(inputs.scores, "unseen", metric, list(inputs.final_models))
    return [
        Cell(percent(mean), spread_text(spread))
        for mean, spread in zip(means["mean"], means["std"], strict=True)
    ]
