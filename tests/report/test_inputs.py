"""Inputs that are refused."""

from collections.abc import Callable

import pandas as pd
import pytest

from metabin.report.inputs import ReportInputs

Make = Callable[..., ReportInputs]


def test_a_missing_column_is_named(make_inputs: Make) -> None:
    scores = make_inputs().scores.drop(columns="rank5")
    with pytest.raises(ValueError, match="scores has no column rank5"):
        make_inputs(scores=scores)


def test_a_method_or_domain_that_was_not_announced_is_named(make_inputs: Make) -> None:
    scores = make_inputs().scores
    with pytest.raises(ValueError, match="'surprise'"):
        make_inputs(scores=scores.replace({"method": {"bn": "surprise"}}))
    with pytest.raises(ValueError, match="'desert'"):
        make_inputs(scores=scores.replace({"test_domain": {"night": "desert"}}))


def test_a_cell_that_is_there_twice_is_refused(make_inputs: Make) -> None:
    scores = make_inputs().scores
    with pytest.raises(ValueError, match="two rows"):
        make_inputs(scores=pd.concat([scores, scores.iloc[:1]]))


def test_a_fraction_in_percent_is_refused(make_inputs: Make) -> None:
    scores = make_inputs().scores
    with pytest.raises(ValueError, match="fraction"):
        make_inputs(scores=scores.assign(mAP=100 * scores["mAP"]))


def test_a_fold_that_was_not_announced_is_named(make_inputs: Make) -> None:
    complete = make_inputs()
    with pytest.raises(ValueError, match=r"scores.fold holds .*'market'"):
        make_inputs(folds={"night": ("night",)}, scores=complete.scores)
    with pytest.raises(ValueError, match=r"losses.fold holds .*'elsewhere'"):
        make_inputs(losses=complete.losses.assign(fold="elsewhere"))


def test_a_cell_has_one_of_two_roles(make_inputs: Make) -> None:
    scores = make_inputs().scores
    with pytest.raises(ValueError, match="'hidden'"):
        make_inputs(scores=scores.replace({"role": {"unseen": "hidden"}}))
    with pytest.raises(ValueError, match="both as unseen and as seen"):
        make_inputs(scores=scores.assign(role=scores["role"].where(scores["method"] != "bn", "unseen")))
    with pytest.raises(ValueError, match="no row with the role 'unseen'"):
        make_inputs(scores=scores.assign(role="seen"))


def test_a_ranked_list_of_no_unseen_cell_is_refused(make_inputs: Make) -> None:
    first = make_inputs().ranked_lists[0]
    with pytest.raises(ValueError, match="no unseen cell"):
        make_inputs(ranked_lists=[{**first, "test_domain": "market"}])


def test_roles_and_not_names_tell_what_is_unseen(make_inputs: Make) -> None:
    inputs = make_inputs(folds={"small_sets": ("market", "night"), "night": ("night",)})
    assert inputs.unseen == (("small_sets", "market"), ("small_sets", "night"), ("night", "night"))
    assert not inputs.named_by_target
    assert make_inputs(folds={"night": ("night",)}).named_by_target


def test_a_source_without_a_test_is_no_tested_domain(make_inputs: Make) -> None:
    inputs = make_inputs(folds={"night": ("night",)}, seen=False)
    assert inputs.tested == ("night",)
    assert not inputs.has_seen
    assert not inputs.has_matrix


def test_queries_without_a_column_are_refused(make_inputs: Make) -> None:
    with pytest.raises(ValueError, match="queries has no column pid"):
        make_inputs(queries=make_inputs().queries.drop(columns="pid"))


def test_a_comparison_without_its_columns_is_refused(make_inputs: Make) -> None:
    with pytest.raises(ValueError, match="published has no column protocol"):
        make_inputs(published=pd.DataFrame({"target": ["night"], "mAP": [50.0]}))


def test_column_groups_have_unseen_cells_alone(make_inputs: Make) -> None:
    make_inputs(column_groups={"near": [("night", "night")]})
    with pytest.raises(ValueError, match=r"column_groups\['near'\] has .*'market'"):
        make_inputs(column_groups={"near": [("night", "market")]})
