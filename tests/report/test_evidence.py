"""The table and the figures of result files, on made-up numbers."""

import pandas as pd
import pytest

from metabin.errors import UserError
from metabin.report.evidence import differences_figure, distances_figure, evidence_table

DISTANCES = ("near", "step 1", "far")


def results(methods, *, folds=2, sources=(3,)):
    """mAP falls by 0.1 per step and grows by 0.01 per method, 0.02 per fold and source; rank-1 is 0.1 above it."""
    rows = [
        (f"draw-{num_sources}{fold}", num_sources, method, seed, tests)
        + (0.5 - 0.1 * step + 0.01 * place + 0.02 * (fold + num_sources) + 0.002 * place * fold,)
        for step, tests in enumerate(DISTANCES)
        for num_sources in sources
        for fold in range(folds)
        for place, method in enumerate(methods)
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows, columns=["fold", "sources", "method", "seed", "tests", "mAP"])
    return table.assign(rank1=table["mAP"] + 0.1)


def test_one_fold_gives_differences_without_an_interval():
    table = evidence_table(results(("bn", "metabin"), folds=1), [("bn",)])
    assert [cell.text for cell in table.rows[1].cells] == ["47.0", "57.0", "47.0", "37.0", "+1.0"]
    assert table.rows[1].cells[0].second == "57.0"
    two_folds = evidence_table(results(("bn", "metabin")), [("bn",)])
    # 1.0 and 1.2 points: mean 1.1, standard error 0.1, t quantile with one degree of freedom 12.7
    assert two_folds.rows[1].cells[-1].text == "+1.1 [\N{MINUS SIGN}0.2, +2.4]"


def test_a_difference_to_itself_or_to_a_method_that_was_not_run_is_empty():
    table = evidence_table(results(("bn", "metabin")), [("bn",), ("bn", "in"), ("bin_joint",)])
    heads = [f"difference to {name}" for name in ("BN", "max(BN, IN)", "BIN joint")]
    assert list(table.columns[-3:]) == heads
    assert [[bool(cell.text) for cell in row.cells[-3:]] for row in table.rows] == [[False] * 3, [True, False, False]]


def test_differences_have_a_dot_and_an_interval_for_each_method_and_distance():
    rows = results(("bn", "metabin", "bin_joint"), sources=(2, 5))
    panels = differences_figure(rows, [("bn",), ("metabin",)]).axes
    assert len(panels) == 16  # two numbers of sources, two opponents; the mean and three distances
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in panels[:4]]
    assert titles == ["2 sources: mean", "2 sources: near", "2 sources: step 1", "2 sources: far"]
    assert panels[2].get_xlabel() == "difference of unseen mAP to BN, points"
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["MetaBIN", "BIN joint"]
    assert [text.get_text() for text in panels[4].get_yticklabels()] == ["BN", "BIN joint"]
    zero, interval, dot, *_ = panels[1].get_lines()
    assert set(zero.get_xdata()) == {0}
    # 1.0 and 1.2 points: mean 1.1, standard error 0.1, t quantile with one degree of freedom 12.7
    assert interval.get_xdata() == pytest.approx([1.1 - 1.2706, 1.1 + 1.2706], abs=1e-3)
    assert dot.get_xdata() == pytest.approx([1.1])
    assert dot.get_ydata() == pytest.approx([0])


def test_a_difference_that_cannot_be_taken_has_no_dot():
    one_fold = differences_figure(results(("bn", "metabin"), folds=1), [("bn",)]).axes
    assert [len(axes.get_lines()) for axes in one_fold] == [2] * 4  # the zero and a dot without an interval
    without_in = differences_figure(results(("bn", "metabin")), [("bn", "in")]).axes
    assert [len(axes.get_lines()) for axes in without_in] == [1] * 4


def test_the_figure_has_a_panel_for_each_number_of_sources_and_a_line_for_each_method():
    rows = results(("bn", "metabin"), sources=(2, 5))
    rows = rows[~((rows["sources"] == 2) & (rows["tests"] == "step 1"))]
    left, right = distances_figure(rows).axes
    assert [axes.get_title(loc="center") for axes in (left, right)] == ["2 sources", "5 sources"]
    assert [text.get_text() for text in right.get_xticklabels()] == list(DISTANCES)
    assert [line.get_label() for line in right.get_lines()] == ["BN", "MetaBIN"]
    assert left.get_lines()[0].get_xdata() == pytest.approx([0, 2])  # no value in between
    assert right.get_lines()[0].get_xdata() == pytest.approx([0, 1, 2])
    assert right.get_lines()[0].get_ydata() == pytest.approx([61, 51, 41])


def test_no_two_lines_look_the_same_and_too_many_are_refused():
    names = [f"joint-{rate}" for rate in range(21)]
    (axes,) = distances_figure(results(("bn", "bin_joint", *names))).axes
    looks = [(line.get_color(), line.get_linestyle()) for line in axes.get_lines()]
    assert len(set(looks)) == 23
    with pytest.raises(UserError, match="22 methods are too many for one figure; choose some with --methods"):
        distances_figure(results([f"joint-{rate}" for rate in range(22)]))
