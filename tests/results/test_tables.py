"""Tables of a few rows, computed by hand."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from metabin.results import tables

METHODS = ("bin_joint", "metabin")
DOMAINS = ("a", "b")
CELLS = (("a", "a"), ("b", "b"))


def scores(*rows: tuple[str, str, int, str, float], targets: Mapping[str, str] | None = None) -> pd.DataFrame:
    """(fold, method, seed, test_domain, mAP); rank-1 is half of mAP, mINP a quarter; a fold holds itself out, or
    `targets`, domains of one letter.
    """
    frame = pd.DataFrame(rows, columns=["fold", "method", "seed", "test_domain", "mAP"])
    held_out = zip(frame["fold"], frame["test_domain"], strict=True)
    unseen = pd.Series([test in (targets or {}).get(fold, fold) for fold, test in held_out])
    return frame.assign(
        role=np.where(unseen, "unseen", "seen"), rank1=frame["mAP"] / 2, mINP=frame["mAP"] / 4,
        num_ids=np.where(unseen, 100, 60),
    )  # fmt: skip


TWO_SEEDS = scores(
    ("a", "metabin", 0, "a", 0.2), ("b", "metabin", 0, "b", 0.4), ("a", "metabin", 1, "a", 0.6),
    ("b", "metabin", 1, "b", 0.2), ("a", "metabin", 0, "b", 0.8), ("b", "metabin", 0, "a", 0.6),
    ("a", "bin_joint", 0, "a", 0.1), ("b", "bin_joint", 0, "b", 0.5), ("a", "bin_joint", 1, "a", 0.4),
)  # fmt: skip

# one fold holds out two domains, one of which another fold holds out too
SMALL_SETS = scores(
    ("small", "metabin", 0, "v", 0.2), ("small", "metabin", 0, "w", 0.6), ("other", "metabin", 0, "w", 0.7),
    ("small", "bin_joint", 0, "v", 0.1), ("small", "bin_joint", 0, "w", 0.3), ("other", "bin_joint", 0, "w", 0.9),
    ("other", "metabin", 0, "v", 0.4),
    targets={"small": "vw", "other": "w"},
)  # fmt: skip
SMALL_CELLS = (("small", "v"), ("small", "w"), ("other", "w"))


def test_cells_of_a_role_come_in_the_order_of_folds_and_domains() -> None:
    assert tables.cells_of(SMALL_SETS, "unseen", ("small", "other"), ("v", "w")) == SMALL_CELLS
    assert tables.cells_of(SMALL_SETS, "unseen", ("other", "small"), ("w", "v"))[:2] == (("other", "w"), ("small", "w"))
    assert tables.cells_of(SMALL_SETS, "seen", ("small", "other"), ("v", "w")) == (("other", "v"),)


def test_the_mean_is_over_all_unseen_cells_of_all_folds() -> None:
    row = tables.method_means(SMALL_SETS, "unseen", "mAP", METHODS).loc["metabin"]
    assert row["mean"] == pytest.approx((0.2 + 0.6 + 0.7) / 3)
    assert row["num_cells"] == 3


def test_a_domain_that_is_unseen_in_two_folds_has_a_column_for_each() -> None:
    result = tables.unseen_by_cell(SMALL_SETS, "mAP", METHODS, SMALL_CELLS)
    np.testing.assert_allclose(result.to_numpy(), [[0.1, 0.3, 0.9], [0.2, 0.6, 0.7]])


def test_differences_are_paired_within_a_fold_and_a_test_domain() -> None:
    result = tables.paired_differences(SMALL_SETS, METHODS, SMALL_CELLS)
    np.testing.assert_allclose(result.to_numpy(), [[0.1, 0.3, -0.2]])


def test_mean_is_over_domains_then_over_seeds_with_the_std_of_the_seeds() -> None:
    row = tables.method_means(TWO_SEEDS, "unseen", "mAP", METHODS).loc["metabin"]
    assert row["mean"] == pytest.approx((0.3 + 0.4) / 2)
    assert row["std"] == pytest.approx(math.sqrt(2) * 0.05)
    assert (row["num_seeds"], row["num_cells"]) == (2, 2)


def test_a_seed_with_fewer_domains_does_not_move_the_mean() -> None:
    row = tables.method_means(TWO_SEEDS, "unseen", "mAP", METHODS).loc["bin_joint"]
    assert row["mean"] == pytest.approx((0.1 + 0.5) / 2)
    assert row["num_seeds"] == 1
    assert math.isnan(row["std"])


def test_a_method_that_was_not_run_has_a_nan_mean_and_no_cells() -> None:
    row = tables.method_means(TWO_SEEDS, "unseen", "mAP", ("bn",)).loc["bn"]
    assert math.isnan(row["mean"])
    assert row["num_cells"] == 0


def test_matrix_is_folds_by_test_domains() -> None:
    result = tables.matrix(TWO_SEEDS, "metabin", "mAP", DOMAINS, DOMAINS).to_numpy()
    np.testing.assert_allclose(result, [[0.4, 0.8], [0.6, 0.3]])
    result = tables.matrix(SMALL_SETS, "bin_joint", "mAP", ("small", "other"), ("v", "w")).to_numpy()
    np.testing.assert_allclose(result, [[0.1, 0.3], [math.nan, 0.9]])


def test_matrix_keeps_the_given_order_and_has_nan_where_nothing_was_evaluated() -> None:
    result = tables.matrix(TWO_SEEDS, "bin_joint", "mAP", ("b", "c", "a"), ("b", "c", "a"))
    assert list(result.columns) == list(result.index) == ["b", "c", "a"]
    assert result.loc["b", "b"] == pytest.approx(0.5)
    assert result.loc["a", "a"] == pytest.approx(0.25)
    assert int(result.isna().to_numpy().sum()) == 7


def test_differences_are_paired_by_held_out_domain_and_seed() -> None:
    result = tables.paired_differences(TWO_SEEDS, METHODS, CELLS)
    assert list(result.index) == ["metabin"]
    # seed 1 has no reference in b
    np.testing.assert_allclose(result.to_numpy(), [[((0.2 - 0.1) + (0.6 - 0.4)) / 2, 0.4 - 0.5]])


def test_spread_of_differences_is_over_the_seeds_that_cover_the_most_domains() -> None:
    complete = pd.concat([TWO_SEEDS, scores(("b", "bin_joint", 1, "b", 0.3))])
    assert tables.paired_spread(complete, METHODS)["metabin"] == pytest.approx(math.sqrt(0.5) * 0.05)
    assert math.isnan(tables.paired_spread(TWO_SEEDS, METHODS)["metabin"])


def test_difference_is_nan_without_a_pair() -> None:
    result = tables.paired_differences(TWO_SEEDS, ("bn", "bin_joint"), (*CELLS, ("c", "c")))
    assert result.isna().to_numpy().all()
    assert list(result.columns) == [*CELLS, ("c", "c")]


def test_seen_by_fold_averages_the_sources_of_a_fold() -> None:
    three = scores(("a", "bn", 0, "b", 0.2), ("a", "bn", 0, "c", 0.4), ("a", "bn", 0, "a", 0.9))
    result = tables.seen_by_fold(three, "bn", "mAP", ("a", "b"))
    assert result["a"] == pytest.approx(0.3)
    assert math.isnan(result["b"])


def test_best_is_picked_among_the_candidates_only_with_ties_as_shown() -> None:
    column = pd.Series({"bn": 0.41204, "in": 0.41196, "metabin": 0.3, "stripes": 0.9, "bin_joint": math.nan})
    assert tables.best_methods(column, ("bn", "in", "metabin", "bin_joint")) == {"bn", "in"}
    assert tables.best_methods(column, ("bin_joint",)) == set()


def test_summary_has_six_digits_and_none_for_what_was_not_evaluated() -> None:
    third = scores(("a", "bn", 0, "a", 1 / 3))
    assert tables.summary(third, ("bn",)) == {
        "bn": {
            "unseen": {"mAP": 0.333333, "mINP": 0.083333, "rank1": 0.166667},
            "seen": {"mAP": None, "mINP": None, "rank1": None},
        }
    }


def test_tidy_matrix_has_every_cell_with_its_role() -> None:
    result = tables.tidy_matrix(TWO_SEEDS, ("metabin",), DOMAINS, DOMAINS)
    assert list(result.columns) == ["method", "held_out", "test_domain", "role", "mAP", "rank1"]
    assert result["role"].tolist() == ["unseen", "seen", "seen", "unseen"]
    np.testing.assert_allclose(result["mAP"], [0.4, 0.8, 0.6, 0.3])
    np.testing.assert_allclose(result["rank1"], [0.2, 0.4, 0.3, 0.15])


def test_a_cell_that_only_another_method_was_tested_in_has_its_role_and_one_of_nobody_has_none() -> None:
    result = tables.tidy_matrix(SMALL_SETS, ("bin_joint",), ("small", "other"), ("v", "w", "x"))
    assert result["role"].fillna("").tolist() == ["unseen", "unseen", "", "seen", "unseen", ""]
    assert result["mAP"].isna().tolist() == [False, False, True, True, False, True]


def test_gallery_sizes_are_read_from_the_scores() -> None:
    sizes = tables.gallery_sizes(TWO_SEEDS.assign(num_ids=[100, 90, 100, 90, 60, 60, 100, 90, 100]))
    unscored = tables.gallery_sizes(TWO_SEEDS.assign(num_ids=[100, 0, 100, 0, 0, 0, 100, 0, 100]))
    assert unscored == {"unseen": "100", "seen": ""}
    assert sizes == {"unseen": "90 to 100", "seen": "60"}


def test_the_scores_of_a_cell_with_overlap_are_replaced_by_those_without():
    without = scores(("a", "metabin", 1, "a", 0.25), ("a", "metabin", 0, "a", 0.125), ("b", "metabin", 0, "b", 0.9))
    result = tables.replace_with_scores_without_overlap(TWO_SEEDS, without, [("a", "a")])
    keys = ["method", "seed", "fold", "test_domain"]
    values = result.set_index(keys)
    assert values.loc[("metabin", 0, "a", "a"), ["mAP", "mINP", "rank1"]].tolist() == [0.125, 0.03125, 0.0625]
    assert values.loc[("metabin", 1, "a", "a"), "mAP"] == 0.25
    assert values.loc[[("bin_joint", 0, "a", "a"), ("bin_joint", 1, "a", "a")], "mAP"].isna().all()  # nothing is left
    others = (TWO_SEEDS["fold"] != "a") | (TWO_SEEDS["test_domain"] != "a")
    pd.testing.assert_frame_equal(result[others], TWO_SEEDS[others])
    assert (
        tables.replace_with_scores_without_overlap(TWO_SEEDS, pd.DataFrame(), [("a", "a")])
        .loc[~others, "mAP"]
        .isna()
        .all()
    )
    assert not TWO_SEEDS["mAP"].isna().any()
