"""Section "Results": unseen and seen scores of every method."""

from __future__ import annotations

import math
from functools import partial

from matplotlib.figure import Figure

from metabin.report.display import (
    PLUS_MINUS,
    Table,
    mean_column,
    method_rows,
    percent,
    unseen_columns,
    value_column,
)
from metabin.report.inputs import ReportInputs
from metabin.report.plots import number_above, rows_figure
from metabin.report.section import (
    CaptionedChart,
    Chart,
    DataTable,
    Glossary,
    Paragraph,
    Section,
    Term,
)
from metabin.report.sections.overlap import no_overlap
from metabin.report.style import styles_for
from metabin.results import tables


def section(inputs: ReportInputs) -> Section:
    """Return the section."""
    roles = "unseen and seen" if inputs.has_seen else "unseen"
    alt = f"Mean mAP of every method, {roles}; numbers in the table above."
    chart = Chart("unseen_and_seen", alt, partial(means_figure, inputs))
    no_duplicates = no_overlap(inputs)
    return Section(
        "Results",
        "results",
        "Results",
        (
            Paragraph(explanation(inputs)),
            DataTable(headline(inputs), "Results of every method"),
            CaptionedChart(chart, (Paragraph(chart_caption(inputs)), method_glossary(inputs))),
            *([Paragraph(no_duplicates)] if no_duplicates else []),
        ),
    )


def explanation(inputs: ReportInputs) -> str:
    """Return the units of the numbers, and the meaning of unseen and seen."""
    sizes = tables.gallery_sizes(inputs.scores)
    deviation = f"mean {PLUS_MINUS} standard deviation over {inputs.num_seeds} seeds"
    numbers = deviation if inputs.num_seeds > 1 else "one seed"
    people = f", scored on {sizes['unseen']} identities" if sizes["unseen"] else ""
    sentences = [
        f"Percent, {numbers}.",
        "Bold: the highest of the trained methods in a column, which is not a verdict.",
        f"Unseen: the held-out domain{people}.",
    ]
    if inputs.has_seen:
        count = f" ({sizes['seen']})" if sizes["seen"] else ""
        sentences += [
            f"Seen: the identities of each source domain that are held out of training{count}.",
            "A smaller gallery is easier to search; methods without training show how much of the "
            "difference is due to the size of the gallery.",
        ]
    return " ".join(sentences)


def headline(inputs: ReportInputs) -> Table:
    """Return the means of every method, and unseen mAP by `unseen_columns`.

    The means are unseen mAP, rank-1 and mINP and, if there is any, seen mAP.
    """
    columns = [mean_column(inputs, "unseen", metric) for metric in ("mAP", "rank1", "mINP")]
    groups = [("Unseen, mean", 3)]
    heads = ["mAP", "rank-1", "mINP"]
    if inputs.has_seen:
        columns.append(mean_column(inputs, "seen", "mAP"))
        groups.append(("Seen, mean", 1))
        heads.append("mAP")
    cells = (inputs.scores, "mAP", inputs.rows, inputs.unseen)
    values = tables.unseen_by_cell(*cells)
    spreads = tables.unseen_by_cell(*cells, statistic="std")
    by_column = unseen_columns(inputs)
    for names in by_column.values():
        # The spread of a mean over several cells is not that of one of them.
        spread = spreads[names].mean(axis=1) if len(names) == 1 else spreads[names[0]] * math.nan
        columns.append(value_column(values[names].mean(axis=1), spread, inputs.trained))
    if by_column:
        by_domain = "Unseen mAP by held-out domain"
        title = "Unseen mAP, mean over domains" if inputs.is_large else by_domain
        groups.append((title, len(by_column)))
    return Table(
        corner="Method",
        groups=tuple(groups),
        columns=(*heads, *by_column),
        rows=method_rows(inputs, inputs.rows, columns),
    )


def chart_caption(inputs: ReportInputs) -> str:
    """Return the meaning of the chart's marks."""
    is_mean = len(inputs.unseen) > 1
    mark = "Filled" if inputs.has_seen else "Marker"
    sentences = [f"{mark}: unseen{', mean over held-out domains' if is_mean else ''}."]
    if inputs.has_seen:
        sentences.append("Hollow: seen.")
    if is_mean:
        sentences.append("Small dots: single held-out domains.")
    return " ".join(sentences)


def method_glossary(inputs: ReportInputs) -> Glossary:
    """Return the methods with their meaning."""
    styles = styles_for(inputs.rows)
    return Glossary(
        [
            Term(styles[name].label, styles[name].meaning, name)
            for name in inputs.rows
            if styles[name].meaning
        ]
    )


def means_figure(inputs: ReportInputs) -> Figure:
    """Draw one row per method: mean mAP, unseen (filled) and seen (hollow).

    Small dots below are the unseen cells.
    """
    styles = styles_for(inputs.rows)
    unseen = tables.method_means(inputs.scores, "unseen", "mAP", inputs.rows)["mean"]
    seen = tables.method_means(inputs.scores, "seen", "mAP", inputs.rows)["mean"]
    cells = tables.unseen_by_cell(inputs.scores, "mAP", inputs.rows, inputs.unseen)
    figure, axes = rows_figure([styles[name].label for name in inputs.rows])
    for index, name in enumerate(inputs.rows):
        left = 100 * unseen[name]
        right = 100 * seen[name]
        color = styles[name].color
        marker = styles[name].marker
        axes.plot([left, right], [index, index], color=color, lw=1.2, alpha=0.5, zorder=1)
        if len(inputs.unseen) > 1:
            heights = [index + 0.27] * len(inputs.unseen)
            axes.scatter(100 * cells.loc[name], heights, s=9, color=color, lw=0, alpha=0.6)
        axes.scatter([left], [index], s=64, color=color, marker=marker, zorder=3)
        axes.scatter(
            [right],
            [index],
            s=58,
            facecolor="white",
            edgecolor=color,
            lw=1.6,
            marker=marker,
            zorder=3,
        )
        # The first row names the marks; numbers of marks that are close go to the sides.
        roles = ("unseen ", "seen ") if index == 0 else ("", "")
        sides = ("right", "left") if abs(right - left) < 2.5 else ("center", "center")
        number_above(axes, roles[0] + percent(unseen[name]), left, index, sides[0])
        number_above(axes, roles[1] + percent(seen[name]), right, index, sides[1])
    axes.set_xlim(left=0)
    axes.set_xlabel("mAP, %")
    return figure
