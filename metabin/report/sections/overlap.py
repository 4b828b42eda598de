"""What sources and held-out domains share, as it is shown: near-duplicate images, and people known to be in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metabin.report.display import Cell, Row, Table, cell_names, mean_column, method_rows, value_column
from metabin.report.inputs import ReportInputs
from metabin.results import tables

TITLE = "Near-duplicates between sources and targets"
EXPLANATION = (
    "With: all test images. Without: neither query nor gallery has images of the people who are in near-duplicates. "
    "A smaller gallery is easier to search; methods that train nothing show by how much."
)


def found(inputs: ReportInputs) -> list[Mapping[str, Any]]:
    """Of all that was compared, what has near-duplicates or is known to have people in common."""
    return [leak for leak in inputs.overlaps if leak["num_pairs"] or leak["overlap"]]


def names(inputs: ReportInputs) -> list[str]:
    """What each of `found` is called: "source -> target", with the fold where that is there twice."""
    count = Counter((leak["source"], leak["target"]) for leak in inputs.overlaps)
    return [
        f"{leak['source']} -> {leak['target']}"
        + (f" ({leak['fold']})" if count[leak["source"], leak["target"]] > 1 else "")
        for leak in found(inputs)
    ]


def remarks(inputs: ReportInputs) -> list[str]:
    """One sentence for each source and target that are known to have people in common, or may have some."""
    told = {f"{leak['source']}, {leak['target']}: {leak['overlap'] or leak['remark']}." for leak in inputs.overlaps
            if leak["overlap"] or leak["remark"]}  # fmt: skip
    return sorted(told)


def checked(inputs: ReportInputs) -> str:
    """What was compared, where nothing was found; "" where something was, or nothing was compared."""
    if not inputs.overlaps or found(inputs):
        return ""
    pairs = sum(leak["source_images"] * leak["target_images"] for leak in inputs.overlaps)
    return (
        "Every training image was compared with every test image of the held-out domains "
        f"({pairs:,} pairs): no near-duplicates."
    )


def pairs_table(inputs: ReportInputs) -> Table:
    """`found` by: pairs of images, and the target's people and distractors in them."""
    counts = [(leak["num_pairs"], len(leak["pids"]), len(leak["distractors"])) for leak in found(inputs)]
    return Table(
        corner="Source -> held out",
        groups=(("Near-duplicates", 3),),
        columns=("pairs", "identities", "distractors"),
        rows=tuple(
            Row(name, tuple(Cell(str(number)) for number in row))
            for name, row in zip(names(inputs), counts, strict=True)
        ),
    )


def scores_table(inputs: ReportInputs) -> Table | None:
    """Methods by unseen mAP with and without the people in near-duplicates: the mean, and each domain that has some."""
    with_pairs = {(leak["fold"], leak["target"]) for leak in inputs.overlaps if leak["num_pairs"]}
    cells = tuple(cell for cell in inputs.unseen if cell in with_pairs)
    if not cells:
        return None
    clean = replace(inputs, scores=tables.without_overlap(inputs.scores, inputs.without_overlap, cells))
    columns = [mean_column(one, "unseen", "mAP") for one in (inputs, clean)]
    values = [_cell_columns(one, cells) for one in (inputs, clean)]
    columns += [side[index] for index in range(len(cells)) for side in values]
    heads = [f"{name} {side}" for name in cell_names(cells) for side in ("with", "without")]
    return Table(
        corner="Method",
        groups=(("Unseen, mean", 2), ("Unseen mAP by held-out domain", 2 * len(cells))),
        columns=("mAP with", "mAP without", *heads),
        rows=method_rows(inputs, inputs.rows, columns),
    )


def _cell_columns(inputs: ReportInputs, cells: tuple[tuple[str, str], ...]) -> list[list[Cell]]:
    means, spreads = (
        tables.unseen_by_cell(inputs.scores, "mAP", inputs.rows, cells, statistic=statistic)
        for statistic in ("mean", "std")
    )
    return [value_column(means[cell], spreads[cell], inputs.trained) for cell in cells]
