"""Section "Significance of differences": verdicts, intervals and p values of pairs of methods."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from metabin.report.display import (
    DASH,
    MINUS,
    Cell,
    Row,
    Table,
    method_rows,
    opponents_label,
    percent,
    points,
    points_interval,
)
from metabin.report.inputs import ReportInputs
from metabin.report.plots import number_above, rows_figure
from metabin.report.section import (
    Bullets,
    CaptionedChart,
    Chart,
    DataTable,
    Heading,
    Paragraph,
    Part,
    Section,
)
from metabin.report.style import INK, styles_for
from metabin.results import comparisons
from metabin.results.comparisons import MethodComparison, Pair
from metabin.results.statistics import Interval, smallest_p

TITLE = "Significance of differences"
SPREADS_TITLE = "Sources of variation of unseen mAP"
SPREADS_EXPLANATION = (
    "Percent. Each source of variation is measured separately. Paired differences leave out the "
    "variation that methods have in common, such as the difficulty of a domain."
)
SHARED_DATA = "Folds share data and are not quite independent: intervals are rather too short."
ONE_SEED = "With one seed, the variation between trainings is part of the spread over folds."
LEVEL = 0.05  # of a p value that counts as significant


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None if no pair has an interval."""
    if not inputs.has_intervals:
        return None
    alt = "Mean difference and intervals of every pair; numbers in the table."
    chart = Chart("differences", alt, partial(intervals_figure, inputs))
    parts: list[Part] = [
        Bullets([verdict(inputs, comparison) for comparison in inputs.comparisons]),
        Paragraph(explanation(inputs)),
        CaptionedChart(chart, [Paragraph(chart_caption(inputs))]),
        DataTable(comparison_table(inputs), "Differences with intervals and tests"),
        *map(Paragraph, remarks(inputs)),
    ]
    spreads = spreads_table(inputs)
    if spreads:
        parts += [
            Heading(SPREADS_TITLE),
            Paragraph(SPREADS_EXPLANATION),
            DataTable(spreads, SPREADS_TITLE),
        ]
    return Section(TITLE, "significance", "Intervals and tests", parts)


def unit_words(inputs: ReportInputs) -> str:
    """Return the name of the run's independent units: held-out domains, folds or seeds."""
    if inputs.comparisons[0].unit == "seed":
        return "seeds"
    return "held-out domains" if inputs.named_by_target else "folds"


def pair_label(inputs: ReportInputs, pair: Pair) -> str:
    """Return a pair as a difference, e.g. "MetaBIN - BIN joint" with a minus sign."""
    styles = styles_for(inputs.rows)
    return f"{styles[pair.method].label} {MINUS} {opponents_label(styles, pair.opponents)}"


def verdict(inputs: ReportInputs, comparison: MethodComparison) -> str:
    """Return one sentence about a pair. It names an order only if the interval excludes 0."""
    styles = styles_for(inputs.rows)
    name = styles[comparison.pair.method].label
    other = opponents_label(styles, comparison.pair.opponents)
    numbers = f"{points(comparison.difference)} points"
    over_units = comparison.over_units
    if over_units is None:
        is_one_fold = comparison.unit == "seed"
        basis = "one training of each" if is_one_fold else "one fold that has both"
        return f"No difference shown between {name} and {other}: {numbers}, from {basis}."
    interval = points_interval(over_units.difference)
    numbers += f" {interval} over {over_units.num_units} {unit_words(inputs)}"
    side = "above" if comparison.difference > 0 else "below"
    if comparison.is_significant:
        return f"{name} is {side} {other}: {numbers}."
    if comparison.unit == "seed" and over_units.is_significant:
        return (
            f"{name} is {side} {other} on this fold, and nothing is shown for other folds: "
            f"{numbers}."
        )
    return f"No difference shown between {name} and {other}: {numbers}."


def explanation(inputs: ReportInputs) -> str:
    """Return what is compared, the meaning of the intervals, and the rule for a verdict."""
    units = unit_words(inputs)
    items = inputs.comparisons
    sentences = [
        "Two methods are compared on the same test domain with the same sources and the same seed."
    ]
    if any(comparison.over_units for comparison in items):
        is_mean = units != "seeds" and (inputs.num_seeds > 1 or not inputs.named_by_target)
        each = ", each a mean over its test domains and seeds" if is_mean else ""
        rule = "; a difference counts as shown when the interval excludes 0"
        sentences.append(
            f"The t interval (95 %) is over {units}{each}{rule if items[0].unit == 'fold' else ''}."
        )
    if any(comparison.over_queries for comparison in items):
        sentences.append(
            "The query interval (95 %) resamples people within the same test domains, for the same "
            "trainings: it shows how much of a difference depends on the people tested, not on the "
            "domain."
        )
    if any(len(comparison.pair.opponents) > 1 for comparison in items):
        sentences.append(
            "max is the better method in each fold, picked after the test, so harder to beat than "
            "either."
        )
    return " ".join(sentences)


def chart_caption(inputs: ReportInputs) -> str:
    """Return the meaning of the chart's marks."""
    sentences = ["Marker: the mean."]
    if any(comparison.over_units for comparison in inputs.comparisons):
        sentences.append(f"Thick line: t interval over {unit_words(inputs)}.")
    if any(comparison.over_queries for comparison in inputs.comparisons):
        sentences.append("Thin line: query interval.")
    return " ".join(sentences)


def comparison_table(inputs: ReportInputs) -> Table:
    """Return pairs by difference, intervals, wins and p values; only columns with a value."""
    items = inputs.comparisons
    columns = {"mean": [Cell(points(comparison.difference)) for comparison in items]}
    has_units = any(comparison.over_units for comparison in items)
    if has_units:
        intervals = [item.over_units.difference if item.over_units else None for item in items]
        columns["t interval"] = [Cell(points_interval(interval)) for interval in intervals]
    if any(comparison.over_queries for comparison in items):
        columns["query interval"] = [Cell(points_interval(item.over_queries)) for item in items]
    groups = [("Difference, points", len(columns))]
    if has_units:
        tests = _test_columns(items)
        columns |= tests
        groups.append((f"Tests over {unit_words(inputs)}", len(tests)))
    cells = zip(*columns.values(), strict=True)
    rows = [
        Row(pair_label(inputs, comparison.pair), row, comparison.pair.method)
        for comparison, row in zip(items, cells, strict=True)
    ]
    return Table("Pair", tuple(groups), tuple(columns), tuple(rows))


def remarks(inputs: ReportInputs) -> list[str]:
    """Return the limits of the numbers: number of comparisons, units needed, independence."""
    tested = [comparison for comparison in inputs.comparisons if comparison.over_units]
    sentences = []
    if tested:
        sentences += [
            _number_of_comparisons(inputs, tested),
            f"n, 1 point: number of {unit_words(inputs)} needed to show a true difference of "
            "1 point in 8 of 10 such runs, at the spread of this run.",
        ]
    if inputs.comparisons[0].unit == "fold":
        independence = "No domain is in two folds." if inputs.folds_are_disjoint else SHARED_DATA
        one_seed = f" {ONE_SEED}" if inputs.num_seeds == 1 else ""
        sentences.append(independence + one_seed)
    elif tested:
        sentences.append(
            "One fold was run: its seeds show the variation between trainings, and nothing about "
            "other domains."
        )
    else:
        sentences.append(
            "One training of each method in one fold shows nothing about other domains or about "
            "the variation between trainings."
        )
    return sentences


def spreads_table(inputs: ReportInputs) -> Table | None:
    """Return the standard deviations of unseen mAP; None if all are unknown.

    Methods by mean, seeds, folds and random splits.
    """
    spreads = comparisons.spreads(inputs.scores, inputs.trained)
    heads = {
        "seeds": "seeds",
        "folds": "held-out domains" if inputs.named_by_target else "folds",
        "splits": "random splits",
    }
    known = [name for name in heads if spreads[name].notna().any()]
    if not known:
        return None
    columns = [[Cell(percent(value)) for value in spreads[name]] for name in ("mean", *known)]
    return Table(
        corner="Method",
        groups=(("Unseen mAP", 1), ("Standard deviation over", len(known))),
        columns=("mean", *(heads[name] for name in known)),
        rows=method_rows(inputs, inputs.trained, columns),
    )


def intervals_figure(inputs: ReportInputs) -> Figure:
    """Draw one row per pair: the mean difference, the t interval and the query interval."""
    styles = styles_for(inputs.rows)
    labels = [pair_label(inputs, comparison.pair) for comparison in inputs.comparisons]
    figure, axes = rows_figure(labels)
    axes.axvline(0, color=INK, lw=1, zorder=1)
    for index, comparison in enumerate(inputs.comparisons):
        style = styles[comparison.pair.method]
        mean = 100 * comparison.difference
        if comparison.over_units:
            axes.plot(
                _ends(comparison.over_units.difference),
                [index, index],
                color=style.color,
                lw=5,
                alpha=0.4,
                solid_capstyle="butt",
            )
        if comparison.over_queries:
            axes.plot(
                _ends(comparison.over_queries),
                [index + 0.24, index + 0.24],
                color=style.color,
                lw=1.2,
                marker="|",
                ms=5,
            )
        axes.scatter([mean], [index], s=48, color=style.color, marker=style.marker, zorder=3)
        number_above(axes, points(comparison.difference), mean, index - 0.08)
    # At least one point on both sides of 0, so that small differences look small.
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -1), max(right, 1))
    axes.set_xlabel("difference of unseen mAP, points")
    return figure


def _number_of_comparisons(inputs: ReportInputs, tested: Sequence[MethodComparison]) -> str:
    """Return the number of comparisons, and a warning if no p value can reach LEVEL."""
    count = len(tested)
    num_units = max(item.over_units.num_units for item in tested if item.over_units)
    least = smallest_p(num_units)
    sentences = []
    if count > 1:
        sentences.append(
            f"{count} comparisons were made; Holm's p corrects for their number, the intervals do "
            "not."
        )
    # Holm's correction multiplies the smallest p by the number of comparisons.
    if count * least > LEVEL:
        corrected = f", {round(count * least, 3):g} after Holm's correction" if count > 1 else ""
        sentences.append(
            f"With {num_units} {unit_words(inputs)} the smallest possible p is "
            f"{round(least, 3):g}{corrected}: these tests cannot reach {LEVEL} here."
        )
    return " ".join(sentences) or "One comparison was made."


def _test_columns(items: Sequence[MethodComparison]) -> dict[str, list[Cell]]:
    over_units = [comparison.over_units for comparison in items]
    wins = [f"{item.wins} of {item.num_units}" if item else DASH for item in over_units]
    columns = {
        "higher in": [Cell(text) for text in wins],
        "p, signs": [_p_cell(item.sign_p if item else None) for item in over_units],
        "p, perm.": [_p_cell(item.permutation_p if item else None) for item in over_units],
    }
    if len(items) > 1:
        columns["p, Holm"] = [_p_cell(item.holm_p if item.over_units else None) for item in items]
    needed = [comparison.units_for_a_point for comparison in items]
    columns["n, 1 point"] = [Cell(DASH if n is None else f"{n:,}") for n in needed]
    return columns


def _p_cell(value: float | None) -> Cell:
    if value is None:
        return Cell(DASH)
    return Cell("<0.001" if value < 0.0005 else f"{value:.3f}")


def _ends(interval: Interval) -> tuple[float, float]:
    return 100 * interval.low, 100 * interval.high
