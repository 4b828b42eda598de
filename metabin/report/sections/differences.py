"""Section "Difference of unseen mAP to the reference": methods and reference, paired by domain."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from metabin.report.display import (
    DASH,
    PLUS_MINUS,
    Cell,
    Table,
    method_rows,
    points,
    spread_text,
    unseen_columns,
)
from metabin.report.inputs import ReportInputs
from metabin.report.plots import number_above, rows_figure
from metabin.report.section import CaptionedChart, Chart, DataTable, Paragraph, Part, Section
from metabin.report.style import INK, styles_for
from metabin.results import tables


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without the reference method."""
    table = differences_table(inputs)
    if table is None:
        return None
    parts: list[Part] = [
        Paragraph(explanation(inputs)),
        DataTable(table, "Paired differences of unseen mAP"),
    ]
    if len(inputs.trained) > 1:
        alt = "Differences for each held-out domain and their mean; numbers in the table."
        chart = Chart("paired_differences", alt, partial(differences_figure, inputs))
        each = ", each a mean over seeds" if inputs.num_seeds > 1 else ""
        caption = f"Dots: single held-out domains{each}. Tick: their mean."
        parts.append(CaptionedChart(chart, [Paragraph(caption)]))
    title = f"Difference of unseen mAP to {_reference_label(inputs)}, points"
    return Section(title, "differences", "Differences", parts)


def explanation(inputs: ReportInputs) -> str:
    """Return what is paired, and a warning if no section has intervals of the differences."""
    sentences = [
        f"Each method and {_reference_label(inputs)} are compared on the same held-out domain with "
        "the same seed."
    ]
    if not inputs.has_intervals:
        sentences.append(noise_warning(inputs.num_seeds))
    if inputs.num_seeds > 1:
        sentences.append(f"{PLUS_MINUS}: standard deviation over seeds.")
    return " ".join(sentences)


def noise_warning(num_seeds: int) -> str:
    """Return a warning about conclusions from this number of seeds."""
    if num_seeds <= 1:
        return "With one seed, differences under a few points are noise; no verdict is claimed."
    warning = "differences within the spread over seeds are noise; no verdict is claimed."
    return f"Means over {num_seeds} seeds; {warning}"


def differences_table(inputs: ReportInputs) -> Table | None:
    """Return unseen mAP minus that of the reference, by `unseen_columns`; None without it."""
    if tables.REFERENCE_METHOD not in inputs.trained:
        return None
    differences = tables.paired_differences(inputs.scores, inputs.trained, inputs.unseen)
    methods = list(differences.index)
    by_column = unseen_columns(inputs)
    columns = [
        [Cell(points(value)) for value in differences[cells].mean(axis=1)]
        for cells in by_column.values()
    ]
    spreads = tables.paired_spread(inputs.scores, methods)
    means = differences.mean(axis=1)
    columns.append([Cell(points(means[name]), spread_text(spreads[name])) for name in methods])
    present = differences.notna().sum(axis=1)
    higher = (differences > 0).sum(axis=1)
    counts = {name: f"{higher[name]} of {present[name]}" for name in methods}
    columns.append([Cell(counts[name] if present[name] else DASH) for name in methods])
    return Table(
        corner="Method",
        groups=((f"Difference to {_reference_label(inputs)}, points", len(columns)),),
        columns=(*by_column, "mean", "higher in"),
        rows=method_rows(inputs, methods, columns),
    )


def differences_figure(inputs: ReportInputs) -> Figure:
    """Draw one row per method: a dot for every unseen cell, a tick at their mean."""
    differences = 100 * tables.paired_differences(inputs.scores, inputs.trained, inputs.unseen)
    styles = styles_for(inputs.rows)
    figure, axes = rows_figure([styles[name].label for name in differences.index])
    axes.axvline(0, color=INK, lw=1, zorder=1)
    for index, name in enumerate(differences.index):
        values = differences.loc[name]
        color = styles[name].color
        axes.scatter(values, [index] * len(values), s=34, color=color, alpha=0.55, lw=0, zorder=2)
        if values.notna().any():
            mean = float(values.mean())
            ends = [index - 0.24, index + 0.24]
            axes.plot([mean, mean], ends, color=color, lw=2.6, zorder=3)
            number_above(axes, points(mean / 100), mean, index - 0.22)
    # Symmetric around 0, at least one point on each side.
    reach = float(np.nanmax(np.abs(differences.to_numpy()), initial=1.0)) * 1.1
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(f"difference of unseen mAP to {_reference_label(inputs)}, points")
    return figure


def _reference_label(inputs: ReportInputs) -> str:
    return styles_for(inputs.rows)[tables.REFERENCE_METHOD].label
