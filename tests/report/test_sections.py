"""Sections and their parts: every kind is rendered, and a new section needs no change of page or markdown."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from metabin.report import section as parts
from metabin.report import sections
from metabin.report.display import Cell, Row, Table
from metabin.report.inputs import ReportInputs
from metabin.report.page import TEMPLATE, write_report
from metabin.report.section import Chart, Photo, Section

Make = Callable[..., ReportInputs]
KINDS = {item.kind: item for _, item in inspect.getmembers(parts, inspect.isclass) if hasattr(item, "kind")}


def every_part(photo: Photo) -> list[parts.Part]:
    """One part of each kind, with their texts."""
    table = Table("Name", (("Numbers", 1),), ("value",), (Row("a row", (Cell("1.5", second="2.5"),)),))
    chart = Chart("my_chart", "a chart", Figure, title="its title")
    return [
        parts.Paragraph("a paragraph"),
        parts.Bullets(["first item", "second item"]),
        parts.Heading("a heading", level=4),
        parts.DataTable(table, "a caption"),
        parts.CaptionedChart(Chart("other_chart", "another chart", Figure), [parts.Paragraph("below it")]),
        parts.ChartGrid([chart]),
        parts.Glossary([parts.Term("a term", "its meaning")]),
        parts.Facts({"a key": "a value"}),
        parts.Details("a summary", [parts.Paragraph("folded")]),
        parts.PhotoStrip("my_strip", [photo]),
        parts.PhotoPairs("a pair", [(photo, photo, "0.91")], "its caption"),
        parts.RankedList("a query", "bn", "AP 50 %", photo, [(photo, True), (photo, False)]),
    ]


def test_every_kind_of_part_has_a_macro() -> None:
    macros = set(re.findall(r"{% macro (\w+)\(part\) %}", TEMPLATE.read_text()))
    assert macros == set(KINDS)


def test_anchors_and_links_of_all_sections_are_different(make_inputs: Make) -> None:
    built = sections.build_sections(make_inputs(seeds=(0, 1)))
    assert len({section.anchor for section in built}) == len({section.link for section in built}) == len(built) >= 8


def test_a_new_section_is_one_function_in_the_registry(
    make_inputs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = make_inputs(methods=("bn",))
    photo = Photo(inputs.samples["night"][0], "a photo", "its label")
    every = every_part(photo)
    assert {part.kind for part in parts.walk(every)} == set(KINDS)
    added = Section("My section", "added", "Added", every)
    hidden = Section("Other section", "other", "Other", [parts.Paragraph("on the page alone")], in_text=False)
    monkeypatch.setattr(sections, "SECTIONS", (*sections.SECTIONS, lambda _: added, lambda _: hidden, lambda _: None))
    write_report(inputs, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    section = page.partition('<section id="added">')[2].partition("</section>")[0]
    assert '<a href="#added">Added</a>' in page
    assert "<h2>My section</h2>" in section
    texts = ("a paragraph", "second item", "a heading", "a row", "1.5", "2.5", "its title", "below it", "its meaning")
    texts += ("a value", "a summary", "folded", "a pair", "0.91", "its caption", "a query", "AP 50 %", "its label")
    assert [text for text in texts if text not in section] == []
    assert section.count("<img ") == 2 + 1 + 2 + 3
    assert '<section id="other">' in page
    assert {"my_chart.png", "other_chart.png", "my_strip.png"} <= {path.name for path in tmp_path.glob("figures/*")}
    text = (tmp_path / "report.md").read_text()
    assert text.partition("## My section\n")[2] == (
        "\na paragraph\n\n- first item\n- second item\n\n#### a heading\n\n"
        "| Name  |     value |\n| ----- | --------: |\n| a row | 1.5 (2.5) |\n\n"
        "- a term: its meaning\n\nfolded\n"
    )


def test_two_charts_with_one_name_are_refused(
    make_inputs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Section("Twice", "twice", "Twice", [Chart("same", "a chart", Figure), Chart("same", "a chart", Figure)])
    monkeypatch.setattr(sections, "SECTIONS", (lambda _: twice,))
    with pytest.raises(ValueError, match="'same'"):
        write_report(make_inputs(methods=("bn",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
