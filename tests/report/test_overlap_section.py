"""The overlap of sources and held-out domains, on the page and in report.md."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from metabin.report.display import DASH
from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from metabin.report.sections import overlap

Make = Callable[..., ReportInputs]
Text = Callable[[ReportInputs], str]


def overlap_of(fold: str, source: str, target: str, **changes: Any) -> dict[str, Any]:
    values = {"source_images": 40, "target_images": 100, "num_pairs": 0, "pids": [], "distractors": [], "examples": []}
    return {
        "fold": fold,
        "source": source,
        "target": target,
        "known_overlap": "",
        "possible_overlap": "",
        **values,
        **changes,
    }


def with_pairs(fold: str = "night", **changes: Any) -> dict[str, Any]:
    example = {"source": "d1/0000_c0_0.jpg", "target": "d2/0001_c2_2.jpg", "distance": 7, "correlation": 0.913}
    values = {"num_pairs": 12, "pids": [3, 4, 9], "distractors": [77], "examples": [example]}
    return overlap_of(fold, "market", "night", **{**values, **changes})


def scores_without(inputs: ReportInputs, fold: str, *, factor: float) -> pd.DataFrame:
    rows = inputs.scores[(inputs.scores["fold"] == fold) & (inputs.scores["test_domain"] == fold)]
    return rows.assign(mAP=rows["mAP"] * factor)


def page_of(inputs: ReportInputs, folder: Path) -> str:
    write_report(inputs, folder)
    return (folder / "index.html").read_text(encoding="utf-8")


def test_without_a_comparison_the_report_has_nothing_about_overlap(
    make_inputs: Make, tmp_path: Path, text_of: Text
) -> None:
    inputs = make_inputs(methods=("bn",))
    assert "ear-duplicate" not in page_of(inputs, tmp_path / "out") + text_of(inputs)


def test_one_line_names_the_comparison_if_it_found_nothing(make_inputs: Make, tmp_path: Path, text_of: Text) -> None:
    overlaps = [
        overlap_of("night", "market", "night"),
        overlap_of("market", "night", "market", possible_overlap="of one campus"),
    ]
    inputs = make_inputs(methods=("bn",), overlaps=overlaps)
    page, text = page_of(inputs, tmp_path / "out"), text_of(inputs)
    for result in (page, text):
        assert "(8,000 pairs): no near-duplicates." in result
        assert "night, market: of one campus." in result
        assert overlap.TITLE not in result
    assert 'id="overlap"' not in page
    assert "#overlap" not in page


def test_near_duplicates_have_a_section_with_counts_examples_and_scores(
    make_inputs: Make, tmp_path: Path, text_of: Text
) -> None:
    complete = make_inputs(methods=("bn", "bin_joint"))
    inputs = make_inputs(
        methods=("bn", "bin_joint"),
        overlaps=[overlap_of("night", "harbour", "night"), with_pairs()],
        without_overlap=scores_without(complete, "night", factor=0.5),
    )
    page, text = page_of(inputs, tmp_path / "out"), text_of(inputs)
    section = page.partition('id="overlap"')[2].partition("</section>")[0]
    assert page.count(f"<h2>{overlap.TITLE}</h2>") == 1
    assert 'href="#overlap"' in page
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


def test_a_domain_without_remaining_images_is_a_dash_and_missing_in_the_mean(make_inputs: Make, tmp_path: Path) -> None:
    inputs = make_inputs(methods=("bn",), overlaps=[with_pairs()])
    table = overlap.scores_table(inputs)
    assert table is not None
    assert table.rows[0].cells[3].text == DASH
    assert table.rows[0].cells[1].note == "2 of 3"
    assert "nan" not in page_of(inputs, tmp_path / "out").lower().split()


def test_people_known_to_be_in_both_are_reported_without_any_pair(
    make_inputs: Make, tmp_path: Path, text_of: Text
) -> None:
    inputs = make_inputs(
        methods=("bn",), overlaps=[overlap_of("night", "market", "night", known_overlap="they are the same people")]
    )
    assert overlap.scores_table(inputs) is None
    assert overlap.no_overlap(inputs) == ""
    for result in (page_of(inputs, tmp_path / "out"), text_of(inputs)):
        assert overlap.TITLE in result
        assert "market, night: they are the same people." in result


def test_a_pair_of_domains_in_two_folds_is_named_with_the_fold(make_inputs: Make) -> None:
    folds = {"one": ("night",), "two": ("night",)}
    overlaps = [with_pairs(fold=fold, num_pairs=number) for fold, number in (("one", 2), ("two", 3))]
    inputs = make_inputs(methods=("bn",), folds=folds, overlaps=overlaps)
    assert [row.label for row in overlap.pairs_table(inputs).rows] == ["market -> night (one)", "market -> night (two)"]
    table = overlap.scores_table(inputs)
    assert table is not None
    assert table.columns[2:] == tuple(f"night ({fold}) {side}" for fold in folds for side in ("with", "without"))


def test_scores_without_overlap_of_several_seeds_have_a_spread(make_inputs: Make) -> None:
    complete = make_inputs(methods=("bn",), seeds=(0, 1, 2))
    without = scores_without(complete, "night", factor=0.9)
    inputs = make_inputs(methods=("bn",), seeds=(0, 1, 2), overlaps=[with_pairs()], without_overlap=without)
    table = overlap.scores_table(inputs)
    assert table is not None
    values = without.loc[without["method"] == "bn", "mAP"]
    assert table.rows[0].cells[3].text == f"{100 * values.mean():.1f}"
    assert table.rows[0].cells[3].spread == f"\u00b1 {100 * values.std():.1f}"
    assert not math.isnan(values.std())


def test_scores_without_overlap_that_lack_a_column_are_refused(make_inputs: Make) -> None:
    complete = make_inputs(methods=("bn",))
    with pytest.raises(ValueError, match="without_overlap has no column mINP"):
        make_inputs(methods=("bn",), without_overlap=scores_without(complete, "night", factor=1).drop(columns="mINP"))
