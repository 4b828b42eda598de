"""Three rules of checkpoint selection, on small tables."""

import math

import pandas as pd
import pytest

from metabin.results import best_step, selection

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({10: 0.2, 20: 0.4, 30: 0.3}, 20),
        ({10: 0.4, 20: 0.4, 30: 0.3}, 20),  # of equals the later
        ({10: 0.4000001, 20: 0.4, 30: 0.3}, 20),  # equal as they are written
        ({10: NAN, 20: NAN}, 20),
        ({10: 0.1, 20: NAN}, 10),
    ],
)
def test_the_highest_value_is_taken_and_of_equals_the_later_step(values, expected):
    assert best_step.best_step(values) == expected


def test_the_table_of_a_training_says_which_candidate_is_chosen():
    table = best_step.selection_table({30: 0.3, 10: 0.5, 20: 0.4})
    assert table.to_dict("list") == {
        "step": [10, 20, 30],
        "source_mAP": [0.5, 0.4, 0.3],
        "chosen": [True, False, False],
    }


def rows(fold, method, seed, table):
    """`table`: step: (source mAP, unseen mAP of each test domain)."""
    return [
        {"fold": fold, "method": method, "seed": seed, "step": step, "test_domain": name, "mAP": value, "rank1": value,
         "source_mAP": source}
        for step, (source, *unseen) in table.items()
        for name, value in zip("xy", unseen, strict=True)
    ]  # fmt: skip


@pytest.fixture
def table():
    """Step 2 is best on the sources, step 1 on the test; the other fold has no scores on sources."""
    return pd.DataFrame(
        rows("a", "bn", 0, {1: (0.5, 0.4, 0.6), 2: (0.7, 0.3, 0.5), 3: (0.6, 0.2, 0.2)})
        + rows("b", "bn", 0, {1: (NAN, 0.1, 0.1), 2: (NAN, 0.1, 0.3), 3: (NAN, 0.1, 0.2)})
    )


def test_each_rule_takes_one_step_of_every_training(table):
    selected = {rule: result.groupby("fold")["step"].unique() for rule, result in selection.by_rule(table).items()}
    assert {rule: {fold: steps.tolist() for fold, steps in result.items()} for rule, result in selected.items()} == {
        "last": {"a": [3], "b": [3]},
        "source": {"a": [2], "b": [3]},
        "oracle": {"a": [1], "b": [2]},
    }


def test_means_are_over_the_test_domains_and_differences_within_the_training(table):
    means = selection.means(table, ["bn"]).loc["bn"]
    assert means["last", "mean"] == pytest.approx((0.2 + 0.2 + 0.1 + 0.2) / 4)
    assert means["source", "mean"] == pytest.approx((0.3 + 0.5 + 0.1 + 0.2) / 4)
    assert means["oracle", "mean"] == pytest.approx((0.4 + 0.6 + 0.1 + 0.3) / 4)
    assert means["source", "minus_last"] == pytest.approx(0.1)
    assert (means["source", "num_other"], means["oracle", "num_other"], means["oracle", "num_trainings"]) == (1, 2, 2)
    assert math.isnan(means["last", "std"])


def test_the_oracle_is_never_below_the_others(table):
    means = selection.means(table, ["bn"]).loc["bn"]
    assert means["oracle", "mean"] >= max(means["last", "mean"], means["source", "mean"])


def test_folds_whose_sources_cannot_choose_are_named(table):
    assert selection.without_source_scores(table) == ("b",)
