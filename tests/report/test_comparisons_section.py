"""The section on the significance of differences claims no more than the intervals support."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.figure import Figure

from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from metabin.report.sections import comparisons

Make = Callable[..., ReportInputs]
Text = Callable[[ReportInputs], str]
METHODS = ("bn", "bin_joint", "metabin")
NOTHING = pd.DataFrame()


def with_gains(make_inputs: Make, gains: list[float], **changes: object) -> ReportInputs:
    """MetaBIN has these gains over all other methods, one per fold and seed."""
    scores = make_inputs(**changes).scores.copy()
    scores.loc[scores["role"] == "unseen", "mAP"] = 0.3
    is_metabin = (scores["role"] == "unseen") & (scores["method"] == "metabin")
    scores.loc[is_metabin, "mAP"] = [0.3 + gain for gain in gains]
    return make_inputs(**{**changes, "scores": scores, "queries": NOTHING})


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.01, -0.01, 0.006], "No difference shown between MetaBIN and BIN joint: +0.2 points ["),
        ([0.01, 0.011, 0.009], "MetaBIN is above BIN joint: +1.0 points [+0.8, +1.2] over 3 held-out domains."),
        ([-0.01, -0.011, -0.009], "MetaBIN is below BIN joint: \u22121.0 points [\u22121.2, \u22120.8] over 3"),
    ],
)
def test_the_verdict_over_folds(make_inputs: Make, gains: list[float], expected: str) -> None:
    inputs = with_gains(make_inputs, gains, methods=METHODS)
    assert comparisons.verdict(inputs, inputs.comparisons[0]).startswith(expected)


def test_the_verdict_over_seeds_of_one_fold_claims_nothing_about_other_folds(make_inputs: Make) -> None:
    inputs = with_gains(
        make_inputs, [0.01, 0.011, 0.009], methods=METHODS, seeds=(0, 1, 2), folds={"night": ("night",)}
    )
    verdict = comparisons.verdict(inputs, inputs.comparisons[0])
    assert verdict.startswith(
        "MetaBIN is above BIN joint on this fold, and nothing is shown for other folds: +1.0 points ["
    )
    assert verdict.endswith("[+0.8, +1.2] over 3 seeds.")
    assert comparisons.section(inputs) is not None
    tests = ("higher in", "p, signs", "p, perm.", "p, Holm", "n, 1 point")
    assert comparisons.comparison_table(inputs).columns == ("mean", "t interval", *tests)
    assert "nothing about other domains" in " ".join(comparisons.remarks(inputs))
    assert "counts as shown" not in comparisons.explanation(inputs)


def test_one_training_each_has_the_interval_over_queries_alone(make_inputs: Make) -> None:
    inputs = make_inputs(methods=METHODS, folds={"night": ("night",)})
    assert comparisons.section(inputs) is not None
    assert comparisons.comparison_table(inputs).columns == ("mean", "query interval")
    verdict = comparisons.verdict(inputs, inputs.comparisons[0])
    assert verdict.startswith("No difference shown between MetaBIN and BIN joint: ")
    assert verdict.endswith("from one training of each.")
    assert comparisons.spreads_table(inputs) is None
    assert "t interval" not in comparisons.explanation(inputs) + comparisons.chart_caption(inputs)


def test_without_intervals_there_is_no_section_and_the_warning_stays(make_inputs: Make, text_of: Text) -> None:
    for changes in ({"methods": ("bn", "bin_joint")}, {"methods": METHODS, "folds": {"night": ("night",)}}):
        inputs = make_inputs(**{**changes, "queries": NOTHING})
        assert comparisons.section(inputs) is None
        assert "no verdict is claimed" in text_of(inputs)
        assert comparisons.TITLE not in text_of(inputs)


def test_report_md_has_verdicts_table_and_spreads_and_no_second_warning(make_inputs: Make, text_of: Text) -> None:
    text = text_of(make_inputs(seeds=(0, 1)))
    assert text.isascii()
    assert "- No difference shown between MetaBIN and BIN fixed: " in text
    assert "| MetaBIN - max(BN, IN) |" in text
    assert f"### {comparisons.SPREADS_TITLE}" in text
    assert "no verdict is claimed" not in text


def test_the_smallest_possible_p_is_said_where_no_difference_could_pass(make_inputs: Make) -> None:
    domains = ("a", "b", "c", "d")
    (first, *_) = comparisons.remarks(make_inputs(domains=domains, methods=("bn", "metabin")))
    assert "With 4 held-out domains the smallest possible p is 0.125: these tests cannot" in first
    (first, *_) = comparisons.remarks(make_inputs(domains=domains))
    assert first.startswith("3 comparisons were made; Holm's p corrects for their number")
    assert "p is 0.125, 0.375 after Holm's correction" in first
    many = make_inputs(domains=tuple("abcdefghij"), methods=("bn", "metabin"), losses=NOTHING, rho=NOTHING)
    assert comparisons.remarks(many)[0] == "One comparison was made."


def test_the_units_that_a_point_would_need_are_those_of_the_spread(make_inputs: Make) -> None:
    inputs = with_gains(make_inputs, [0.02, -0.02, 0.0], methods=METHODS)  # a standard deviation of two points
    assert comparisons.remarks(inputs)[1].startswith("n, 1 point: number of held-out domains needed")
    rows = [row for row in comparisons.comparison_table(inputs).rows if row.method == "metabin"]
    assert {row.cells[-1].text for row in rows} == {"34"}


def test_spreads_have_a_column_for_each_that_is_known(make_inputs: Make) -> None:
    groups = {"small": ("market", "night"), "other": ("harbour",)}
    inputs = make_inputs(methods=METHODS, seeds=(0, 1), folds=groups)
    table = comparisons.spreads_table(inputs)
    assert table is not None
    assert table.columns == ("mean", "seeds", "folds")
    with_splits = make_inputs(methods=METHODS, scores=inputs.scores.assign(mAP_trial_std=0.02), folds=groups)
    table = comparisons.spreads_table(with_splits)
    assert table is not None
    assert table.columns == ("mean", "seeds", "folds", "random splits")
    assert {row.cells[3].text for row in table.rows} == {"2.0"}


def test_the_chart_has_one_row_per_pair_and_both_lines_where_there_are_both(make_inputs: Make) -> None:
    def lines(figure: Figure) -> int:
        return len(figure.axes[0].lines) - 1  # without the one at zero

    inputs = make_inputs(methods=METHODS)
    assert lines(comparisons.intervals_figure(inputs)) == 4
    assert lines(comparisons.intervals_figure(make_inputs(methods=METHODS, queries=NOTHING))) == 2
    labels = [text.get_text() for text in comparisons.intervals_figure(inputs).axes[0].get_yticklabels()]
    assert labels == ["MetaBIN \u2212 BIN joint", "MetaBIN \u2212 BN"]


def test_groups_several_seeds_and_several_meta_learned_methods_are_written(make_inputs: Make, tmp_path) -> None:
    inputs = make_inputs(
        methods=(*METHODS, "mldg"), seeds=(0, 1, 2), folds={"small": ("market", "night"), "other": ("harbour",)}
    )
    write_report(inputs, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "MLDG - BN" in text
    assert "over 2 folds" in text
    assert "over folds, each a mean over its test domains and seeds" in text


def test_folds_share_data_unless_no_domain_is_in_two(make_inputs: Make) -> None:
    inputs = with_gains(make_inputs, [0.01, 0.011, 0.009], methods=METHODS)
    assert not inputs.folds_are_disjoint
    assert any("Folds share data" in remark for remark in comparisons.remarks(inputs))
    renamed = inputs.scores.assign(test_domain=inputs.scores["fold"] + "-" + inputs.scores["test_domain"])
    changes = {"domains": tuple(renamed["test_domain"].unique()), "queries": NOTHING, "ranked_lists": ()}
    disjoint = replace(inputs, scores=renamed, **changes)
    assert disjoint.folds_are_disjoint
    assert not any("share" in remark for remark in comparisons.remarks(disjoint))
    of_unseen = renamed[renamed["role"] == "unseen"]  # the sources are unknown then
    assert not replace(inputs, scores=of_unseen, **changes).folds_are_disjoint
