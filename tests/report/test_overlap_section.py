"""What sources and held-out domains share, on the page and in the text."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from metabin.report import markdown
from metabin.report.display import DASH
from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from metabin.report.sections import overlap

Make = Callable[..., ReportInputs]


def leak(fold: str, source: str, target: str, **changes: Any) -> dict[str, Any]:
    values = {"source_images": 40, "target_images": 100, "num_pairs": 0, "pids": [], "distractors": [], "examples": []}
    return {"fold": fold, "source": source, "target": target, "overlap": "", "remark": "", **values, **changes}


def with_pairs(fold: str = "night", **changes: Any) -> dict[str, Any]:
    example = {"source": "d1/0000_c0_0.jpg", "target": "d2/0001_c2_2.jpg", "distance": 7, "correlation": 0.913}
    values = {"num_pairs": 12, "pids": [3, 4, 9], "distractors": [77], "examples": [example]}
    return leak(fold, "market", "night", **{**values, **changes})


def clean_of(inputs: ReportInputs, fold: str, *, factor: float) -> pd.DataFrame:
    mine = inputs.scores[(inputs.scores["fold"] == fold) & (inputs.scores["test_domain"] == fold)]
    return mine.assign(mAP=mine["mAP"] * factor)


def page_of(inputs: ReportInputs, folder: Path) -> str:
    write_report(inputs, folder)
    return (folder / "index.html").read_text(encoding="utf-8")


def test_nothing_is_said_where_nothing_was_compared(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(methods=("bn",))
    assert "ear-duplicate" not in page_of(inputs, tmp_path / "out") + markdown.report_text(inputs)


def test_one_line_says_what_was_compared_where_nothing_was_found(make_inputs: Make, tmp_path: Path) -> None:
    leaks = [leak("night", "market", "night"), leak("market", "night", "market", remark="of one campus")]
    inputs = make_inputs(methods=("bn",), overlaps=leaks)
    page, text = page_of(inputs, tmp_path / "out"), markdown.report_text(inputs)
    for found in (page, text):
        assert "(8,000 pairs): no near-duplicates." in found
        assert "night, market: of one campus." in found
        assert overlap.TITLE not in found
    assert 'id="shared"' not in page
    assert "#shared" not in page


def test_near_duplicates_have_a_section_with_counts_examples_and_scores(make_inputs: Make, tmp_path: Path) -> None:
    whole = make_inputs(methods=("bn", "bin_joint"))
    inputs = make_inputs(
        methods=("bn", "bin_joint"),
        overlaps=[leak("night", "harbour", "night"), with_pairs()],
        without_overlap=clean_of(whole, "night", factor=0.5),
    )
    page, text = page_of(inputs, tmp_path / "out"), markdown.report_text(inputs)
    section = page.partition('id="shared"')[2].partition("</section>")[0]
    assert page.count(f"<h2>{overlap.TITLE}</h2>") == 1
    assert 'href="#shared"' in page
    assert section.count("<img ") == 2
    assert "0.91" in section
    assert "harbour" not in section
    assert f"## {overlap.TITLE}" in text
    assert ["market -> night", "12", "3", "1"] in [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
    ]
    assert "no near-duplicates" not in page + text
    table = overlap.scores_table(inputs)
    assert table is not None
    assert table.columns == ("mAP with", "mAP without", "night with", "night without")
    row = next(row for row in table.rows if row.method == "bn")
    with_all, without, night, night_without = (float(cell.text) for cell in row.cells)
    assert night_without == pytest.approx(night / 2, abs=0.1)
    assert with_all - without == pytest.approx((night - night_without) / 3, abs=0.15)
    assert len(table.rows) == 4  # two trained, two untrained


def test_a_domain_of_which_nothing_is_left_is_a_dash_and_missing_in_the_mean(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(methods=("bn",), overlaps=[with_pairs()])
    table = overlap.scores_table(inputs)
    assert table is not None
    assert table.rows[0].cells[3].text == DASH
    assert table.rows[0].cells[1].note == "2 of 3"
    assert "nan" not in page_of(inputs, tmp_path / "out").lower().split()


def test_people_known_to_be_in_both_are_told_of_without_any_pair(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(methods=("bn",), overlaps=[leak("night", "market", "night", overlap="they are the same people")])
    assert overlap.scores_table(inputs) is None
    assert overlap.checked(inputs) == ""
    for found in (page_of(inputs, tmp_path / "out"), markdown.report_text(inputs)):
        assert overlap.TITLE in found
        assert "market, night: they are the same people." in found


def test_a_pair_of_domains_in_two_folds_is_named_with_the_fold(make_inputs: Make) -> None:
    folds = {"one": ("night",), "two": ("night",)}
    leaks = [with_pairs(fold=fold, num_pairs=number) for fold, number in (("one", 2), ("two", 3))]
    inputs = make_inputs(methods=("bn",), folds=folds, overlaps=leaks)
    assert [row.label for row in overlap.pairs_table(inputs).rows] == ["market -> night (one)", "market -> night (two)"]
    table = overlap.scores_table(inputs)
    assert table is not None
    assert table.columns[2:] == tuple(f"night ({fold}) {side}" for fold in folds for side in ("with", "without"))


def test_clean_scores_of_several_seeds_have_a_spread(make_inputs: Make) -> None:
    whole = make_inputs(methods=("bn",), seeds=(0, 1, 2))
    clean = clean_of(whole, "night", factor=0.9)
    inputs = make_inputs(methods=("bn",), seeds=(0, 1, 2), overlaps=[with_pairs()], without_overlap=clean)
    table = overlap.scores_table(inputs)
    assert table is not None
    mine = clean.loc[clean["method"] == "bn", "mAP"]
    assert table.rows[0].cells[3].text == f"{100 * mine.mean():.1f}"
    assert table.rows[0].cells[3].spread == f"\u00b1 {100 * mine.std():.1f}"
    assert not math.isnan(mine.std())


def test_clean_scores_without_a_column_are_refused(make_inputs: Make) -> None:
    whole = make_inputs(methods=("bn",))
    with pytest.raises(ValueError, match="without_overlap has no column mINP"):
        make_inputs(methods=("bn",), without_overlap=clean_of(whole, "night", factor=1).drop(columns="mINP"))
