"""Section "Ranked lists": example queries with their nearest gallery images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metabin.report.display import cell_names, percent
from metabin.report.inputs import ReportInputs
from metabin.report.section import Details, Heading, Paragraph, Part, Photo, RankedList, Section
from metabin.report.style import styles_for

EXPLANATION = (
    "Left the query, then the nearest gallery images in order. A green frame with a check is the "
    "same person, a red frame with a cross another person; the number is the distance. AP: average "
    "precision of that query."
)
KIND_LABELS = {"typical": "Typical query", "worst": "Worst query", "best": "Best query"}
Key = tuple[str, str, str, str]  # fold, test domain, kind, method


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without ranked lists."""
    lists = first_lists(inputs)
    details: list[Details] = []
    for cell, name in zip(inputs.unseen, cell_names(inputs.unseen), strict=True):
        parts = cell_parts(inputs, lists, cell)
        if parts:
            is_first = not details
            details.append(Details(f"{name}, held out", parts, is_open=is_first))
    if not details:
        return None
    parts = (Paragraph(EXPLANATION), *details)
    return Section(
        "Ranked lists of the same queries", "ranked_lists", "Example queries", parts, in_text=False
    )


def first_lists(inputs: ReportInputs) -> dict[Key, Mapping[str, Any]]:
    """Return the ranked lists of the lowest seed that has them."""
    lists: dict[Key, Mapping[str, Any]] = {}
    for item in sorted(inputs.ranked_lists, key=lambda item: item["seed"]):
        lists.setdefault((item["fold"], item["test_domain"], item["kind"], item["method"]), item)
    return lists


def cell_parts(
    inputs: ReportInputs, lists: Mapping[Key, Mapping[str, Any]], cell: tuple[str, str]
) -> list[Part]:
    """Return the ranked lists of one unseen cell: by kind, then in the order of the methods."""
    fold, domain = cell
    if domain not in inputs.pictured:
        return []
    # Known kinds first.
    kinds = sorted({key[2] for key in lists}, key=lambda kind: (kind not in KIND_LABELS, kind))
    parts: list[Part] = []
    for kind in kinds:
        items = [lists.get((fold, domain, kind, method)) for method in inputs.rows]
        of_kind = [ranked_list(inputs, item) for item in items if item]
        if of_kind:
            parts += [Heading(KIND_LABELS.get(kind, kind), level=4), *of_kind]
    return parts


def ranked_list(inputs: ReportInputs, item: Mapping[str, Any]) -> RankedList:
    """Return one ranked list with a text for every image."""
    query = item["query"]
    gallery = []
    for rank, image in enumerate(item["gallery"], start=1):
        result = "correct" if image["correct"] else "wrong"
        alt = f"rank {rank}, {result}: person {image['pid']}, camera {image['camid']}"
        photo = Photo(image["path"], alt, f"{image['distance']:.2f}")
        gallery.append((photo, bool(image["correct"])))
    query_alt = f"query: person {query['pid']}, camera {query['camid']}"
    return RankedList(
        title=styles_for(inputs.rows)[item["method"]].label,
        method=item["method"],
        remark=f"AP {percent(item['average_precision'])} %",
        query=Photo(query["path"], query_alt, "query"),
        gallery=gallery,
    )
