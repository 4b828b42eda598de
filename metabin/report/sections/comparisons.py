"""What the differences are worth: verdicts, intervals and p values of every pair, and what the scores vary with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from metabin.report.display import DASH, Cell, Row, Table, method_rows, percent, points
from metabin.report.inputs import ReportInputs
from metabin.report.style import styles_for
from metabin.results import comparisons
from metabin.results.comparisons import Evidence, Pair
from metabin.results.statistics import Interval, smallest_p

TITLE = "What the differences are worth"
SPREADS_TITLE = "What unseen mAP varies with"
LEVEL = 0.05
POWER = (
    "n, 1 point: about how many {units} it takes to show a true difference of 1 point in 8 of 10 such runs, at the "
    "spread seen here."
)


@dataclass(frozen=True, slots=True)
class WorthBlock:
    """The section: one verdict a pair, the numbers behind them, and what they do not say."""

    verdicts: Sequence[str]
    explanation: str
    caption: str
    table: Table
    remarks: Sequence[str]
    spreads: Table | None


def block(inputs: ReportInputs) -> WorthBlock | None:
    """The section; None where no pair has an interval."""
    if not any(one.over_units or one.over_queries for one in inputs.evidence):
        return None
    verdicts = [verdict(inputs, one) for one in inputs.evidence]
    return WorthBlock(
        verdicts, explanation(inputs), caption(inputs), table(inputs), remarks(inputs), spreads_table(inputs)
    )


def unit_words(inputs: ReportInputs) -> str:
    """What the independent units of this run are called: held-out domains, folds, or the seeds of one fold."""
    if inputs.evidence[0].unit == "seed":
        return "seeds"
    return "held-out domains" if inputs.named_by_target else "folds"


def pair_label(inputs: ReportInputs, pair: Pair) -> str:
    """ "MetaBIN less BIN joint"."""
    return f"{styles_for(inputs.rows)[pair.method].label} less {_opponent(inputs, pair)}"


def verdict(inputs: ReportInputs, one: Evidence) -> str:
    """One line that claims no more than was shown."""
    name, other = styles_for(inputs.rows)[one.pair.method].label, _opponent(inputs, one.pair)
    found = one.over_units
    numbers = f"{points(one.difference)} points"
    if found is None:
        of = "one training of each" if one.unit == "seed" else "one fold that has both"
        return f"No difference shown between {name} and {other}: {numbers}, from {of}."
    numbers += f" {_ends(found.difference)} over {found.num_units} {unit_words(inputs)}"
    side = "above" if one.difference > 0 else "below"
    if one.shown:
        return f"{name} is {side} {other}: {numbers}."
    if one.unit == "seed" and found.shown:
        return f"{name} is {side} {other} on this fold, and nothing is shown of others: {numbers}."
    return f"No difference shown between {name} and {other}: {numbers}."


def explanation(inputs: ReportInputs) -> str:
    """What is compared, what the intervals are, and when a difference counts as shown."""
    units, found = unit_words(inputs), inputs.evidence
    sentences = ["Two methods are compared on the same test domain with the same sources and the same seed."]
    if any(one.over_units for one in found):
        averaged = units != "seeds" and (inputs.num_seeds > 1 or not inputs.named_by_target)
        each = ", each a mean over its test domains and seeds" if averaged else ""
        shown = "; a difference counts as shown when it excludes 0" if found[0].unit == "fold" else ""
        sentences.append(f"The t interval (95 %) is over {units}{each}{shown}.")
    if any(one.over_queries for one in found):
        sentences.append(
            "The query interval (95 %) draws other people in the same test domains, for the same trainings: how much "
            "of a difference is due to who was tested, not where."
        )
    if any(len(one.pair.opponents) > 1 for one in found):
        sentences.append("max is the better one in each fold, picked after the test, so harder to beat than either.")
    return " ".join(sentences)


def caption(inputs: ReportInputs) -> str:
    """What the marks of the chart are."""
    thick = (
        f" Thick line: t interval over {unit_words(inputs)}." if any(one.over_units for one in inputs.evidence) else ""
    )
    thin = " Thin line: query interval." if any(one.over_queries for one in inputs.evidence) else ""
    return f"Marker: the mean.{thick}{thin}"


def table(inputs: ReportInputs) -> Table:
    """Pairs by difference, the intervals, wins and p values; only the columns that hold something."""
    found, units = inputs.evidence, unit_words(inputs)
    columns = [("mean", [Cell(points(one.difference)) for one in found])]
    with_units = any(one.over_units for one in found)
    if with_units:
        intervals = [one.over_units.difference if one.over_units else None for one in found]
        columns.append(("t interval", [Cell(_ends(interval)) for interval in intervals]))
    if any(one.over_queries for one in found):
        columns.append(("query interval", [Cell(_ends(one.over_queries)) for one in found]))
    groups = [("Difference, points", len(columns))]
    if with_units:
        columns += [
            ("higher in", [_wins(one) for one in found]),
            ("p, signs", [_p(one.over_units.sign_p if one.over_units else None) for one in found]),
            ("p, perm.", [_p(one.over_units.permutation_p if one.over_units else None) for one in found]),
        ]
        if len(found) > 1:
            columns.append(("p, Holm", [_p(one.holm_p if one.over_units else None) for one in found]))
        columns.append(("n, 1 point", [_count(one.units_for_a_point) for one in found]))
        groups.append((f"Tests over {units}", len(columns) - groups[0][1]))
    return Table(
        corner="Pair",
        groups=tuple(groups),
        columns=tuple(head for head, _ in columns),
        rows=tuple(
            Row(pair_label(inputs, one.pair), tuple(cells[index] for _, cells in columns), one.pair.method)
            for index, one in enumerate(found)
        ),
    )


def remarks(inputs: ReportInputs) -> list[str]:
    """What the numbers do not say: how many comparisons there were, what they would need, what is not independent."""
    tested = [one for one in inputs.evidence if one.over_units]
    told = [_number_of_comparisons(inputs, tested), POWER.format(units=unit_words(inputs))] if tested else []
    if inputs.evidence[0].unit == "fold":
        luck = " With one seed, the luck of each training is part of the spread over folds." * (inputs.num_seeds == 1)
        together = "Folds share data, so they are not quite independent, and intervals over them are rather too short."
        told.append(("No domain is in two folds." if inputs.folds_are_apart else together) + luck)
    elif tested:
        told.append("One fold was run: its seeds tell the luck of training, nothing of other places.")
    else:
        told.append("One training of each in one fold tells nothing of other places, nor of the luck of training.")
    return told


def spreads_table(inputs: ReportInputs) -> Table | None:
    """Methods by mean and standard deviations over seeds, folds and random splits; None where all are unknown."""
    found = comparisons.spreads(inputs.scores, inputs.trained)
    heads = {
        "seeds": "seeds",
        "folds": "held-out domains" if inputs.named_by_target else "folds",
        "splits": "random splits",
    }
    there = [name for name in heads if found[name].notna().any()]
    if not there:
        return None
    return Table(
        corner="Method",
        groups=(("Unseen mAP", 1), ("Standard deviation over", len(there))),
        columns=("mean", *(heads[name] for name in there)),
        rows=method_rows(inputs, inputs.trained, [_percents(found[name]) for name in ("mean", *there)]),
    )


def _opponent(inputs: ReportInputs, pair: Pair) -> str:
    labels = [styles_for(inputs.rows)[name].label for name in pair.opponents]
    return labels[0] if len(labels) == 1 else f"max({', '.join(labels)})"


def _number_of_comparisons(inputs: ReportInputs, tested: Sequence[Evidence]) -> str:
    count, units = len(tested), max(one.over_units.num_units for one in tested if one.over_units)
    least = smallest_p(units)
    several = count > 1
    text = f"{count} comparisons were made; Holm's p allows for that, the intervals do not." if several else ""
    if count * least > LEVEL:
        corrected = f", {round(count * least, 3):g} after Holm's correction" if several else ""
        text += (
            f" With {units} {unit_words(inputs)} the smallest possible p is {round(least, 3):g}{corrected}: these tests"
        )
        text += f" cannot get below {LEVEL} here."
    return text.strip() or "One comparison was made."


def _wins(one: Evidence) -> Cell:
    return Cell(f"{one.over_units.wins} of {one.over_units.num_units}" if one.over_units else DASH)


def _count(value: int | None) -> Cell:
    return Cell(DASH if value is None else f"{value:,}")


def _p(value: float | None) -> Cell:
    return Cell(DASH if value is None else "<0.001" if value < 0.0005 else f"{value:.3f}")


def _ends(interval: Interval | None) -> str:
    return f"[{points(interval.low)}, {points(interval.high)}]" if interval else DASH


def _percents(column: pd.Series) -> list[Cell]:
    return [Cell(percent(value)) for value in column]
