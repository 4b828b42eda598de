"""The run beside published results, on the page and as text."""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from metabin.report import display
from metabin.report.display import Cell, Table
from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from metabin.report.sections import published
from metabin.results import published as results

Make = Callable[..., ReportInputs]
Text = Callable[[ReportInputs], str]
SETS = ("viper", "grid")
CLIP = {"backbone": "clip_vit_b", "extra_data": "CLIP pre-training", "year": 2024, "confidence": "secondary"}


def row(target: str, method: str, mean_precision: float, rank1: float, **facts: object) -> dict[str, object]:
    known = {"venue": "CVPR", "year": 2021, "backbone": "resnet50", "extra_data": "", "source": "its table"}
    numbers = {"protocol": "p1", "target": target, "method": method, "mAP": mean_precision, "rank1": rank1}
    return {**known, **numbers, "confidence": "verified", "remark": "", **facts}


PUBLISHED = [
    row("viper", "MetaBIN", 50.0, 40.0), row("grid", "MetaBIN", 40.0, 30.0), row("average", "MetaBIN", 45.0, 35.0),
    row("viper", "Other", 55.0, 45.0, backbone="", confidence="memory"),
    row("grid", "Other", 45.0, 35.0, backbone="", confidence="derived"),
    row("viper", "Large", 70.0, 60.0, **CLIP, remark="a <b>misprint</b>"), row("grid", "Large", 60.0, 50.0, **CLIP),
]  # fmt: skip


@pytest.fixture
def compared(make_inputs: Make) -> Callable[..., ReportInputs]:
    """A run on two small sets where MetaBIN has 0.52 mAP and BN 0.48 everywhere, rank-1 is 0.1 lower."""

    def inputs(rows: list[dict[str, object]] = PUBLISHED, methods: tuple[str, ...] = ("bn", "metabin")) -> ReportInputs:
        settings = {"domains": SETS, "folds": {"small_sets": SETS}, "methods": methods, "seen": False}
        run = make_inputs(**settings, losses=pd.DataFrame())
        level = run.scores["method"].map({"metabin": 0.52, "bn": 0.48}).fillna(0.1)
        scores = run.scores.assign(mAP=level, rank1=level - 0.1)
        table = pd.DataFrame(rows, columns=list(results.COLUMNS)).astype({"year": "Int64"})
        result = results.compare(scores, table, "p1", backbone="resnet50")
        return make_inputs(**settings, losses=pd.DataFrame(), scores=scores, published=result)

    return inputs


def cells(table: Table, target: str) -> list[tuple[str, Cell]]:
    """(label, cell) of a column."""
    return [(line.label, line.cells[table.columns.index(target)]) for line in table.rows]


def test_a_column_has_the_run_the_published_results_and_their_differences(compared: Make) -> None:
    table = published.published_table(compared())
    assert table.columns == ("viper", "grid", "average")
    assert cells(table, "viper") == [
        ("MetaBIN, this run", Cell("52.0", second="42.0")),
        ("MetaBIN, published", Cell("50.0", second="40.0", note="resnet50")),
        (published.GAP, Cell("+2.0", second="+2.0")),
        ("Best of this run", Cell("52.0", second="42.0", note="MetaBIN")),
        ("Best without extra data", Cell("55.0", second="45.0", note="Other (b,m)")),
        (published.GAP, Cell(f"{display.MINUS}3.0", second=f"{display.MINUS}3.0")),
        ("Best published", Cell("70.0", second="60.0", note="Large (b,d,s)")),
        (published.GAP, Cell(f"{display.MINUS}18.0", second=f"{display.MINUS}18.0")),
    ]


def test_the_average_is_beside_the_published_average(compared: Make) -> None:
    assert cells(published.published_table(compared()), "average")[2] == (published.GAP, Cell("+7.0", second="+7.0"))


def test_a_method_without_published_results_has_no_row(compared: Make) -> None:
    table = published.published_table(compared([row("viper", "Other", 55.0, 45.0)], methods=("bn",)))
    assert [line.label for line in table.rows] == ["Best of this run", "Best published", published.GAP]


def test_a_result_that_is_missing_on_one_target_is_a_dash(compared: Make, text_of: Text) -> None:
    inputs = compared([row("viper", "MetaBIN", 50.0, 40.0), row("grid", "Other", 55.0, math.nan)])
    table = published.published_table(inputs)
    result = dict(cells(table, "grid"))
    assert result["MetaBIN, published"] == Cell(display.DASH)
    assert result["Best published"].second == display.DASH
    assert "()" not in text_of(inputs)


def test_the_marks_that_stand_in_the_table_are_explained_and_no_others(compared: Make) -> None:
    text = published.caveats(compared())
    assert all(f"({mark}) {meaning}." in text for mark, meaning in published.MARKS.items())
    plain = published.caveats(compared([row("grid", "MetaBIN", 50.0, 40.0)]))
    assert not any(f"({mark})" in plain for mark in published.MARKS)


def test_random_splits_are_named_where_there_are_some(compared: Make) -> None:
    assert "The random splits of viper differ" in published.caveats(compared())
    assert "random splits" not in published.caveats(compared([row("grid", "MetaBIN", 50.0, 40.0)]))


def test_every_published_method_says_where_it_was_read_and_what_was_remarked(compared: Make) -> None:
    assert published.method_facts(compared()) == {
        "MetaBIN": "CVPR 2021; resnet50; verified: its table",
        "Other": "CVPR 2021; backbone not recorded; memory: its table; derived: its table",
        "Large": "CVPR 2024; clip_vit_b; CLIP pre-training; secondary: its table; viper: a <b>misprint</b>",
    }


def test_the_section_is_on_the_page_and_in_the_text(compared: Make, tmp_path: Path) -> None:
    write_report(compared(), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert '<a href="#published">' in page
    assert '<section id="published">' in page
    assert "Large (b,d,s)" in page
    assert "<b>misprint</b>" not in page
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.isascii()
    assert f"## {published.TITLE}" in text
    assert "| 70.0 (60.0) [Large (b,d,s)] |" in text
    assert "<b>" not in text


def test_there_is_no_section_where_nothing_was_published(compared: Make, tmp_path: Path, text_of: Text) -> None:
    inputs = compared([])
    assert published.section(inputs) is None
    assert "published" not in text_of(inputs)
    write_report(inputs, tmp_path / "out")
    assert "published" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
