"""The section on what differences are worth: it says no more than was shown, and nothing that it does not know."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.figure import Figure

from metabin.report import markdown, summaries
from metabin.report.inputs import ReportInputs
from metabin.report.page import write_report
from metabin.report.sections import comparisons

Make = Callable[..., ReportInputs]
METHODS = ("bn", "bin_joint", "metabin")
NOTHING = pd.DataFrame()


def with_gains(make_inputs: Make, gains: list[float], **changes: object) -> ReportInputs:
    """MetaBIN is above everything else by so much in each fold and seed, one after the other."""
    scores = make_inputs(**changes).scores.copy()
    scores.loc[scores["role"] == "unseen", "mAP"] = 0.3
    mine = (scores["role"] == "unseen") & (scores["method"] == "metabin")
    scores.loc[mine, "mAP"] = [0.3 + gain for gain in gains]
    return make_inputs(**{**changes, "scores": scores, "queries": NOTHING})


@pytest.mark.parametrize(
    ("gains", "wanted"),
    [
        ([0.01, -0.01, 0.006], "No difference shown between MetaBIN and BIN joint: +0.2 points ["),
        ([0.01, 0.011, 0.009], "MetaBIN is above BIN joint: +1.0 points [+0.8, +1.2] over 3 held-out domains."),
        ([-0.01, -0.011, -0.009], "MetaBIN is below BIN joint: \u22121.0 points [\u22121.2, \u22120.8] over 3"),
    ],
)
def test_the_verdict_over_folds(make_inputs: Make, gains: list[float], wanted: str) -> None:
    inputs = with_gains(make_inputs, gains, methods=METHODS)
    assert comparisons.verdict(inputs, inputs.evidence[0]).startswith(wanted)


def test_the_verdict_over_seeds_of_one_fold_says_nothing_of_others(make_inputs: Make) -> None:
    inputs = with_gains(
        make_inputs, [0.01, 0.011, 0.009], methods=METHODS, seeds=(0, 1, 2), folds={"night": ("night",)}
    )
    told = comparisons.verdict(inputs, inputs.evidence[0])
    assert told.startswith("MetaBIN is above BIN joint on this fold, and nothing is shown of others: +1.0 points [")
    assert told.endswith("[+0.8, +1.2] over 3 seeds.")
    found = comparisons.block(inputs)
    assert found is not None
    tests = ("higher in", "p, signs", "p, perm.", "p, Holm", "n, 1 point")
    assert found.table.columns == ("mean", "t interval", *tests)
    assert "nothing of other places" in " ".join(found.remarks)
    assert "counts as shown" not in found.explanation


def test_one_training_each_has_the_interval_over_queries_alone(make_inputs: Make) -> None:
    inputs = make_inputs(methods=METHODS, folds={"night": ("night",)})
    found = comparisons.block(inputs)
    assert found is not None
    assert found.table.columns == ("mean", "query interval")
    assert found.verdicts[0].startswith("No difference shown between MetaBIN and BIN joint: ")
    assert found.verdicts[0].endswith("from one training of each.")
    assert found.spreads is None
    assert "t interval" not in found.explanation + found.caption


def test_without_anything_to_weigh_there_is_no_section_and_the_warning_stays(make_inputs: Make) -> None:
    for changes in ({"methods": ("bn", "bin_joint")}, {"methods": METHODS, "folds": {"night": ("night",)}}):
        inputs = make_inputs(**{**changes, "queries": NOTHING})
        assert comparisons.block(inputs) is None
        assert "no verdict is claimed" in markdown.report_text(inputs)
        assert comparisons.TITLE not in markdown.report_text(inputs)


def test_the_text_for_a_terminal_has_verdicts_table_and_spreads_and_no_second_warning(make_inputs: Make) -> None:
    text = markdown.report_text(make_inputs(seeds=(0, 1)))
    assert text.isascii()
    assert "- No difference shown between MetaBIN and BIN fixed: " in text
    assert "| MetaBIN less max(BN, IN) |" in text
    assert f"### {comparisons.SPREADS_TITLE}" in text
    assert "no verdict is claimed" not in text


def test_the_smallest_possible_p_is_said_where_no_difference_could_pass(make_inputs: Make) -> None:
    domains = ("a", "b", "c", "d")
    found = comparisons.block(make_inputs(domains=domains, methods=("bn", "metabin")))
    assert found is not None
    assert "With 4 held-out domains the smallest possible p is 0.125: these tests cannot" in found.remarks[0]
    found = comparisons.block(make_inputs(domains=domains))
    assert found is not None
    assert found.remarks[0].startswith("3 comparisons were made; Holm's p allows for that")
    assert "p is 0.125, 0.375 after Holm's correction" in found.remarks[0]
    many = tuple("abcdefghij")
    found = comparisons.block(make_inputs(domains=many, methods=("bn", "metabin"), losses=NOTHING, rho=NOTHING))
    assert found is not None
    assert found.remarks[0] == "One comparison was made."


def test_the_units_that_a_point_would_need_are_those_of_the_spread(make_inputs: Make) -> None:
    inputs = with_gains(make_inputs, [0.02, -0.02, 0.0], methods=METHODS)  # a standard deviation of two points
    found = comparisons.block(inputs)
    assert found is not None
    assert found.remarks[1].startswith("n, 1 point: about how many held-out domains it takes")
    assert {row.cells[-1].text for row in found.table.rows if row.method == "metabin"} == {"34"}


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


def test_the_chart_has_a_row_a_pair_and_both_lines_where_there_are_both(make_inputs: Make) -> None:
    def lines(figure: Figure) -> int:
        return len(figure.axes[0].lines) - 1  # without the one at zero

    inputs = make_inputs(methods=METHODS)
    assert lines(summaries.differences_with_intervals(inputs)) == 4
    assert lines(summaries.differences_with_intervals(make_inputs(methods=METHODS, queries=NOTHING))) == 2
    labels = [text.get_text() for text in summaries.differences_with_intervals(inputs).axes[0].get_yticklabels()]
    assert labels == ["MetaBIN less BIN joint", "MetaBIN less BN"]


def test_groups_several_seeds_and_several_meta_learned_methods_are_written(make_inputs: Make, tmp_path) -> None:
    inputs = make_inputs(
        methods=(*METHODS, "mldg"), seeds=(0, 1, 2), folds={"small": ("market", "night"), "other": ("harbour",)}
    )
    write_report(inputs, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "MLDG less BN" in text
    assert "over 2 folds" in text
    assert "over folds, each a mean over its test domains and seeds" in text


def test_folds_share_data_unless_no_domain_is_in_two(make_inputs: Make) -> None:
    inputs = with_gains(make_inputs, [0.01, 0.011, 0.009], methods=METHODS)
    assert not inputs.folds_are_apart
    assert any("Folds share data" in remark for remark in comparisons.remarks(inputs))
    renamed = inputs.scores.assign(test_domain=inputs.scores["fold"] + "-" + inputs.scores["test_domain"])
    changes = {"domains": tuple(renamed["test_domain"].unique()), "queries": NOTHING, "ranked_lists": ()}
    apart = replace(inputs, scores=renamed, **changes)
    assert apart.folds_are_apart
    assert not any("share" in remark for remark in comparisons.remarks(apart))
    of_unseen = renamed[renamed["role"] == "unseen"]  # of the sources nothing is known then
    assert not replace(inputs, scores=of_unseen, **changes).folds_are_apart
