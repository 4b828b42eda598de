"""The cells of the tables, and their text in report.md."""

import math
from collections.abc import Callable

import pytest

from metabin.config.sections import BASELINES, META_LEARNED
from metabin.report import display
from metabin.report.inputs import ReportInputs
from metabin.report.sections import differences, matrices, results
from metabin.report.style import METHOD_STYLES, styles_for

Make = Callable[..., ReportInputs]
Text = Callable[[ReportInputs], str]


@pytest.mark.parametrize(("value", "text"), [(0.4126, "41.3"), (0.0, "0.0"), (1.0, "100.0"), (math.nan, "\u2013")])
def test_percent_has_one_decimal_and_a_dash_for_nan(value: float, text: str) -> None:
    assert display.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.012, "+1.2"), (-0.012, "\u22121.2"), (-0.0004, "0.0"), (0.0, "0.0"), (math.nan, "\u2013")]
)
def test_points_carry_their_sign(value: float, text: str) -> None:
    assert display.points(value) == text


def test_a_cell_that_is_nan_is_a_dash_and_its_mean_says_over_how_many(make_inputs: Make) -> None:
    complete = make_inputs()
    scores = complete.scores.copy()
    scores.loc[(scores.method == "in") & (scores.fold == "night") & (scores.role == "unseen"), "mAP"] = math.nan
    table = results.headline(make_inputs(scores=scores))
    row = next(row for row in table.rows if row.method == "in")
    cells = dict(zip(table.columns[4:], row.cells[4:], strict=True))
    assert cells["night"].text == display.DASH
    assert cells["harbour"].text != display.DASH
    assert row.cells[0].note == "2 of 3"
    assert not row.cells[0].bold


def test_a_mean_over_fewer_domains_is_never_bold(make_inputs: Make) -> None:
    scores = make_inputs().scores
    best = (scores.method == "in") & (scores.role == "unseen")
    scores.loc[best, "mAP"] = 0.99
    scores = scores[~(best & (scores.fold == "night"))]
    table = results.headline(make_inputs(scores=scores))
    row = next(row for row in table.rows if row.method == "in")
    assert row.cells[0].text == "99.0"
    assert not row.cells[0].bold
    assert row.cells[table.columns.index("harbour")].bold


def test_bold_is_one_of_the_trained_methods_even_if_an_untrained_one_is_higher(make_inputs: Make) -> None:
    scores = make_inputs().scores
    scores.loc[scores.method == "stripes", ["mAP", "rank1", "mINP"]] = 0.999
    table = results.headline(make_inputs(scores=scores))
    for index in range(len(table.columns)):
        bold = [row.method for row in table.rows if row.cells[index].bold]
        assert len(bold) >= 1
        assert "stripes" not in bold


def test_rows_are_the_methods_in_order_then_the_untrained_ones(make_inputs: Make) -> None:
    table = results.headline(make_inputs(methods=("metabin", "bn")))
    assert [row.label for row in table.rows] == ["MetaBIN", "BN", "Colour stripes", "Chance"]
    assert [row.is_minor for row in table.rows] == [False, False, True, True]


def test_two_seeds_show_a_spread_and_one_seed_does_not(make_inputs: Make) -> None:
    one = make_inputs(seeds=(0,))
    two = make_inputs(seeds=(0, 1))
    assert results.headline(one).rows[0].cells[0].spread == ""
    assert results.headline(two).rows[0].cells[0].spread.startswith("\u00b1 ")
    assert "one seed" in differences.noise_warning(one.num_seeds)
    assert "2 seeds" in differences.noise_warning(two.num_seeds)


def test_paired_table_counts_the_domains_in_which_a_method_is_higher(make_inputs: Make) -> None:
    scores = make_inputs(methods=("bn", "bin_joint")).scores
    values = {("bn", "harbour"): 0.5, ("bn", "market"): 0.2, ("bn", "night"): 0.3}
    for fold in ("harbour", "market", "night"):
        unseen = (scores.fold == fold) & (scores.role == "unseen")
        scores.loc[unseen & (scores.method == "bn"), "mAP"] = values["bn", fold]
        scores.loc[unseen & (scores.method == "bin_joint"), "mAP"] = 0.3
    table = differences.differences_table(make_inputs(methods=("bn", "bin_joint"), scores=scores))
    assert table is not None
    assert [cell.text for cell in table.rows[0].cells] == ["+20.0", "\u221210.0", "0.0", "+3.3", "1 of 3"]


def test_there_is_no_paired_table_without_the_reference(make_inputs: Make) -> None:
    assert differences.differences_table(make_inputs(methods=("bn", "metabin"))) is None


def test_unseen_columns_are_the_held_out_domains_and_not_the_folds(make_inputs: Make) -> None:
    inputs = make_inputs(folds={"small_sets": ("market", "night")}, methods=("bn", "bin_joint"))
    table = results.headline(inputs)
    paired = differences.differences_table(inputs)
    assert table.columns == ("mAP", "rank-1", "mINP", "mAP", "market", "night")
    assert not any(cell.note for row in table.rows for cell in row.cells)
    assert paired is not None
    assert paired.columns == ("market", "night", "mean", "higher in")


def test_a_domain_that_two_folds_hold_out_is_named_with_the_fold(make_inputs: Make) -> None:
    inputs = make_inputs(folds={"one": ("market", "night"), "two": ("night",)}, methods=("bn",))
    names = ("market", "night (one)", "night (two)")
    assert results.headline(inputs).columns[4:] == names
    assert tuple(row.label for row in matrices.held_out_table(inputs, "bn").rows) == names


def test_nothing_is_said_of_seen_domains_when_there_are_none(make_inputs: Make, text_of: Text) -> None:
    inputs = make_inputs(folds={"small_sets": ("market", "night")}, methods=("bn",), seen=False)
    assert results.headline(inputs).columns == ("mAP", "rank-1", "mINP", "market", "night")
    assert matrices.held_out_table(inputs, "bn").columns == ("mAP", "rank-1", "mINP")
    assert "seen" not in text_of(inputs).lower().replace("unseen", "")


def test_the_unseen_cells_of_a_matrix_are_bold_wherever_they_are(make_inputs: Make) -> None:
    inputs = make_inputs(folds={"small_sets": ("market", "night"), "two": ("harbour",)}, methods=("bn",))
    table = matrices.matrix_table(inputs, "bn")
    assert table.corner == "Fold"
    assert [[cell.bold for cell in row.cells] for row in table.rows] == [[False, True, True], [True, False, False]]


def test_every_method_looks_different_and_says_what_it_is() -> None:
    for values in zip(*((style.label, style.color, style.marker) for style in METHOD_STYLES.values()), strict=True):
        assert len(set(values)) == len(METHOD_STYLES)
    assert {*BASELINES, *META_LEARNED} <= set(METHOD_STYLES)
    assert all(style.meaning for style in METHOD_STYLES.values())


def test_unknown_methods_have_labels_colours_and_markers_of_their_own() -> None:
    names = [f"my_norm_{index}" for index in range(7)]
    styles = styles_for(("bn", *names))
    assert styles["my_norm_0"].label == "my norm 0"
    colors = [style.color for style in METHOD_STYLES.values()]
    assert len({*colors, *(styles[name].color for name in names)}) == len(colors) + len(names)
    assert len({styles[name].marker for name in names}) == len(names)
    assert styles["bn"] is METHOD_STYLES["bn"]


def test_markdown_is_ascii_aligned_and_brackets_rank_1(make_inputs: Make, text_of: Text) -> None:
    inputs = make_inputs(seeds=(0, 1))
    text = text_of(inputs)
    assert text.isascii()
    assert "open `index.html`" in text
    for table in text.split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert len({len(line) for line in lines}) == 1
    diagonal = matrices.matrix_table(inputs, "bn").rows[0].cells[0]
    assert f"**{diagonal.text} ({diagonal.second})**" in text


def test_a_name_cannot_break_out_of_a_markdown_cell(make_inputs: Make, text_of: Text) -> None:
    text = text_of(make_inputs(domains=("a|b", "<script>", "c\nd")))
    assert "a\\|b" in text
    assert "<script>" not in text
    assert "c d" in text
