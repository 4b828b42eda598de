"""Section "Overlap of training and test data": near-duplicate images, and people in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from metabin.report.display import (
    Cell,
    Row,
    Table,
    cell_names,
    mean_column,
    method_rows,
    value_column,
)
from metabin.report.inputs import ReportInputs
from metabin.report.section import (
    DataTable,
    Heading,
    Paragraph,
    Part,
    Photo,
    PhotoPairs,
    Section,
)
from metabin.results import tables

TITLE = "Overlap of training and test data"
EXPLANATION = (
    "Near-duplicates: training images of a source that are also test images of a held-out domain, "
    "or are the same after compression, resizing, a change of brightness or a shift by a few "
    "pixels."
)
EXAMPLES_EXPLANATION = (
    "Left the training image, right the test image: the pairs with the lowest similarity. The "
    "number is the correlation of their detail; 1 is identical."
)
SCORES_EXPLANATION = (
    "Percent. With: all test images. Without: neither query nor gallery has images of people in "
    "near-duplicates. A smaller gallery is easier to search; methods without training show by how "
    "much."
)


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None if no overlap was found."""
    if not overlaps(inputs):
        return None
    parts: list[Part] = [
        Paragraph(EXPLANATION),
        DataTable(pairs_table(inputs), "Near-duplicates of every source and held-out domain"),
        *map(Paragraph, remarks(inputs)),
        *example_parts(inputs),
    ]
    scores = scores_table(inputs)
    if scores:
        title = "Unseen mAP with and without near-duplicates"
        parts += [Heading(title), Paragraph(SCORES_EXPLANATION), DataTable(scores, title)]
    return Section(TITLE, "overlap", "Shared images", parts)


def no_overlap(inputs: ReportInputs) -> str:
    """Return what was compared, if no overlap was found; "" otherwise or without a comparison."""
    if not inputs.overlaps or overlaps(inputs):
        return ""
    pairs = sum(item["source_images"] * item["target_images"] for item in inputs.overlaps)
    comparison = (
        "Every training image was compared with every test image of the held-out domains "
        f"({pairs:,} pairs): no near-duplicates."
    )
    return " ".join([comparison, *remarks(inputs)])


def overlaps(inputs: ReportInputs) -> list[Mapping[str, Any]]:
    """Return the compared pairs of data sets with near-duplicates or known common people."""
    return [item for item in inputs.overlaps if item["num_pairs"] or item["known_overlap"]]


def names(inputs: ReportInputs) -> list[str]:
    """Return a name for each of `overlaps`: "source -> target", with the fold if it is needed."""
    count = Counter((item["source"], item["target"]) for item in inputs.overlaps)
    result = []
    for item in overlaps(inputs):
        is_repeated = count[item["source"], item["target"]] > 1
        fold = f" ({item['fold']})" if is_repeated else ""
        result.append(f"{item['source']} -> {item['target']}{fold}")
    return result


def remarks(inputs: ReportInputs) -> list[str]:
    """Return one sentence for each source and target that have, or may have, people in common."""
    sentences = set()
    for item in inputs.overlaps:
        if text := item["known_overlap"] or item["possible_overlap"]:
            sentences.add(f"{item['source']}, {item['target']}: {text}.")
    return sorted(sentences)


def pairs_table(inputs: ReportInputs) -> Table:
    """Return `overlaps` by numbers: pairs of images, identities and distractors of the target."""
    rows = []
    for name, item in zip(names(inputs), overlaps(inputs), strict=True):
        counts = (item["num_pairs"], len(item["pids"]), len(item["distractors"]))
        rows.append(Row(name, tuple(Cell(str(count)) for count in counts)))
    return Table(
        corner="Source -> held out",
        groups=(("Near-duplicates", 3),),
        columns=("pairs", "identities", "distractors"),
        rows=tuple(rows),
    )


def example_parts(inputs: ReportInputs) -> list[Part]:
    """Return example pairs of images of each of `overlaps`; empty if there are none."""
    parts: list[Part] = []
    caption = EXAMPLES_EXPLANATION  # under the first ones only
    for name, item in zip(names(inputs), overlaps(inputs), strict=True):
        pairs = []
        for number, example in enumerate(item["examples"], start=1):
            training = Photo(example["source"], f"training image {number} of {name}")
            test = Photo(example["target"], f"test image {number} of {name}")
            pairs.append((training, test, f"{example['correlation']:.2f}"))
        if pairs:
            parts.append(PhotoPairs(name, pairs, caption))
            caption = ""
    return parts


def scores_table(inputs: ReportInputs) -> Table | None:
    """Return unseen mAP with and without people in near-duplicates; None without near-duplicates.

    Methods by the mean, and by each domain with near-duplicates.
    """
    with_pairs = {(item["fold"], item["target"]) for item in inputs.overlaps if item["num_pairs"]}
    cells = tuple(cell for cell in inputs.unseen if cell in with_pairs)
    if not cells:
        return None
    scores = tables.replace_with_scores_without_overlap(
        inputs.scores, inputs.without_overlap, cells
    )
    # The same inputs with and without the images: pairs of columns for the mean and every cell.
    sides = (inputs, replace(inputs, scores=scores))
    columns = [mean_column(side, "unseen", "mAP") for side in sides]
    by_cell = [_cell_columns(side, cells) for side in sides]
    columns += [side[index] for index in range(len(cells)) for side in by_cell]
    heads = [f"{name} {side}" for name in cell_names(cells) for side in ("with", "without")]
    return Table(
        corner="Method",
        groups=(("Unseen, mean", 2), ("Unseen mAP by held-out domain", 2 * len(cells))),
        columns=("mAP with", "mAP without", *heads),
        rows=method_rows(inputs, inputs.rows, columns),
    )


def _cell_columns(inputs: ReportInputs, cells: tuple[tuple[str, str], ...]) -> list[list[Cell]]:
    arguments = (inputs.scores, "mAP", inputs.rows, cells)
    means = tables.unseen_by_cell(*arguments)
    spreads = tables.unseen_by_cell(*arguments, statistic="std")
    return [value_column(means[cell], spreads[cell], inputs.trained) for cell in cells]
