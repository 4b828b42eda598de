"""Section "Verification": the true positive rate at fixed false positive rates."""

from __future__ import annotations

from metabin.report.display import Cell, Table, method_rows, unseen_columns, value_column
from metabin.report.inputs import ReportInputs
from metabin.report.section import DataTable, Paragraph, Section
from metabin.results import tables

TITLE = "Verification: TPR at a fixed FPR"
RATES = {"tpr_1e-4": "0.01 %", "tpr_1e-3": "0.1 %", "tpr_1e-2": "1 %"}  # column -> its FPR
BY_DOMAIN = "tpr_1e-3"


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without a rate."""
    if inputs.verification.empty or inputs.verification[list(RATES)].isna().all(axis=None):
        return None
    table = verification_table(inputs)
    parts = (Paragraph(explanation(inputs)), DataTable(table, "TPR of every method"))
    return Section(TITLE, "verification", "Verification", parts)


def explanation(inputs: ReportInputs) -> str:
    """Return the meaning of the rates."""
    means = ", means over seeds" if inputs.num_seeds > 1 else ""
    sentences = [
        f"Percent{means}. Is a pair of images the same person? A pair is accepted if its distance "
        "is below a threshold.",
        "FPR: the share of pairs of different people that are accepted; it fixes the threshold. "
        "TPR: the share of accepted pairs among those of one person under two cameras.",
        "Pairs of one person under the same camera are left out, as in the ranking.",
        f"The columns of held-out domains are at FPR {RATES[BY_DOMAIN]}. Bold: the highest.",
    ]
    if inputs.verification[list(RATES)].isna().any(axis=None):
        sentences.append("A dash: too few pairs of different people for that FPR.")
    return " ".join(sentences)


def verification_table(inputs: ReportInputs) -> Table:
    """Return methods by mean TPR at each FPR, and by TPR at BY_DOMAIN of each held-out domain."""
    scores = inputs.verification.assign(role="unseen")
    methods = [name for name in inputs.trained if name in set(scores["method"])]
    columns: list[list[Cell]] = []
    for metric in RATES:
        means = tables.method_means(scores, "unseen", metric, methods)
        columns.append(value_column(means["mean"], means["std"], methods))
    groups = [("Mean TPR", len(RATES))]
    heads = [f"FPR {rate}" for rate in RATES.values()]
    by_domain = unseen_columns(inputs)
    values = tables.unseen_by_cell(scores, BY_DOMAIN, methods, inputs.unseen)
    for cells in by_domain.values():
        column = values[cells].mean(axis=1)
        columns.append(value_column(column, column * float("nan"), methods))
    if by_domain:
        groups.append((f"TPR at FPR {RATES[BY_DOMAIN]} by held-out domain", len(by_domain)))
    return Table(
        corner="Method",
        groups=tuple(groups),
        columns=(*heads, *by_domain),
        rows=method_rows(inputs, methods, columns),
    )
