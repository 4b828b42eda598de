"""Section "Ranked lists": example queries with their nearest gallery images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metabin.report.display import cell_names, percent
from metabin.report.inputs import ReportInputs
from metabin.report.section import Details, Heading, Paragraph, Part, Photo, RankedList, Section
from metabin.report.style import styles_for

EXPLANATION = (
    "Left the query, then the nearest gallery images in order. A green frame with a check is the "
    "same person, a red frame with a cross another person; the number is the distance. AP: average "
    "precision of that query. {example} chooses the queries."
)
TWO_METHODS = (
    " Two methods search for the same person. A bar below an image: the other method does not list "
    "it."
)
KIND_LABELS = {  # in the order of display
    "best": "Best query of {example}",
    "typical": "Typical query of {example}",
    "worst": "Worst query of {example}",
    "gain": "Largest gain of {example} over {baseline}",
    "loss": "Largest loss of {example} to {baseline}",
}
Key = tuple[str, str, str, str]  # fold, test domain, kind, method


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without ranked lists."""
    lists = first_lists(inputs)
    if not lists:
        return None
    details: list[Details] = []
    for cell, name in zip(inputs.unseen, cell_names(inputs.unseen), strict=True):
        parts = cell_parts(inputs, lists, cell)
        if parts:
            is_first = not details
            details.append(Details(f"{name}, held out", parts, is_open=is_first))
    if not details:
        return None
    names = method_names(inputs, lists)
    text = EXPLANATION.format_map(names) + (TWO_METHODS if "baseline" in names else "")
    parts = (Paragraph(text), *details)
    return Section("Ranked lists", "ranked_lists", "Example queries", parts, in_text=False)


def method_names(inputs: ReportInputs, lists: Iterable[Key]) -> dict[str, str]:
    """Return the labels of the example and of its baseline, if there is one."""
    listed = {method for *_, method in lists}
    labels = [styles_for(inputs.rows)[name].label for name in inputs.rows if name in listed]
    *baselines, example = labels  # meta-learned methods are the last
    return {"example": example, **({"baseline": baselines[0]} if baselines else {})}


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
    names = method_names(inputs, lists)
    parts: list[Part] = []
    for kind, label in KIND_LABELS.items():
        keys = [(fold, domain, kind, method) for method in inputs.rows[::-1]]
        items = [lists[key] for key in keys if key in lists]
        if items:
            parts.append(Heading(label.format_map(names), level=4))
            parts += [ranked_list(inputs, item, others(item, items)) for item in items]
    return parts


def others(item: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> set[str] | None:
    """Return the paths of the gallery images in the lists of other methods; None without any."""
    lists = [other["gallery"] for other in items if other["method"] != item["method"]]
    return {image["path"] for gallery in lists for image in gallery} if lists else None


def ranked_list(
    inputs: ReportInputs, item: Mapping[str, Any], elsewhere: set[str] | None = None
) -> RankedList:
    """Return one ranked list with a text for every image.

    Args:
        elsewhere: paths of the images in the list of the other method, if there is one.
    """
    query = item["query"]
    gallery = []
    only_here = []
    for rank, image in enumerate(item["gallery"], start=1):
        result = "correct" if image["correct"] else "wrong"
        is_only_here = elsewhere is not None and image["path"] not in elsewhere
        where = ", not in the other list" if is_only_here else ""
        alt = f"rank {rank}, {result}{where}: person {image['pid']}, camera {image['camid']}"
        only_here.append(is_only_here)
        photo = Photo(image["path"], alt, f"{image['distance']:.2f}")
        gallery.append((photo, bool(image["correct"])))
    query_alt = f"query: person {query['pid']}, camera {query['camid']}"
    return RankedList(
        title=styles_for(inputs.rows)[item["method"]].label,
        method=item["method"],
        remark=f"AP {percent(item['average_precision'])} %",
        query=Photo(query["path"], query_alt, "query"),
        gallery=gallery,
        only_here=only_here,
    )
