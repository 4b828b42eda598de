"""What is refused at the door."""

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


def test_the_diagonal_must_be_unseen(make_inputs: Make) -> None:
    scores = make_inputs().scores
    with pytest.raises(ValueError, match="wrong role"):
        make_inputs(scores=scores.assign(role="seen"))
