"""Numbers worked out by hand from a few rows."""

import math

import numpy as np
import pandas as pd
import pytest

from metabin.protocol import tables

METHODS = ("bin_joint", "metabin")
DOMAINS = ("a", "b")


def scores(*rows: tuple[str, str, int, str, float]) -> pd.DataFrame:
    """(fold, method, seed, test_domain, mAP); rank-1 is half of mAP, mINP a quarter."""
    frame = pd.DataFrame(rows, columns=["fold", "method", "seed", "test_domain", "mAP"])
    unseen = frame["fold"] == frame["test_domain"]
    return frame.assign(
        role=np.where(unseen, "unseen", "seen"), rank1=frame["mAP"] / 2, mINP=frame["mAP"] / 4,
        num_ids=np.where(unseen, 100, 60),
    )  # fmt: skip


TWO_SEEDS = scores(
    ("a", "metabin", 0, "a", 0.2), ("b", "metabin", 0, "b", 0.4), ("a", "metabin", 1, "a", 0.6),
    ("b", "metabin", 1, "b", 0.2), ("a", "metabin", 0, "b", 0.8), ("b", "metabin", 0, "a", 0.6),
    ("a", "bin_joint", 0, "a", 0.1), ("b", "bin_joint", 0, "b", 0.5), ("a", "bin_joint", 1, "a", 0.4),
)  # fmt: skip


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


def test_matrix_has_the_unseen_cells_on_its_diagonal() -> None:
    found = tables.matrix(TWO_SEEDS, "metabin", "mAP", DOMAINS).to_numpy()
    np.testing.assert_allclose(found, [[0.4, 0.8], [0.6, 0.3]])


def test_matrix_keeps_the_given_order_and_has_nan_where_nothing_was_evaluated() -> None:
    found = tables.matrix(TWO_SEEDS, "bin_joint", "mAP", ("b", "c", "a"))
    assert list(found.columns) == list(found.index) == ["b", "c", "a"]
    assert found.loc["b", "b"] == pytest.approx(0.5)
    assert found.loc["a", "a"] == pytest.approx(0.25)
    assert int(found.isna().to_numpy().sum()) == 7


def test_differences_are_paired_by_held_out_domain_and_seed() -> None:
    found = tables.paired_differences(TWO_SEEDS, METHODS, DOMAINS)
    assert list(found.index) == ["metabin"]
    assert found.loc["metabin", "a"] == pytest.approx(((0.2 - 0.1) + (0.6 - 0.4)) / 2)
    assert found.loc["metabin", "b"] == pytest.approx(0.4 - 0.5)  # seed 1 has no reference there


def test_spread_of_differences_is_over_the_seeds_that_cover_the_most_domains() -> None:
    whole = pd.concat([TWO_SEEDS, scores(("b", "bin_joint", 1, "b", 0.3))])
    assert tables.paired_spread(whole, METHODS)["metabin"] == pytest.approx(math.sqrt(0.5) * 0.05)
    assert math.isnan(tables.paired_spread(TWO_SEEDS, METHODS)["metabin"])


def test_difference_is_nan_without_a_pair() -> None:
    found = tables.paired_differences(TWO_SEEDS, ("bn", "bin_joint"), (*DOMAINS, "c"))
    assert found.isna().to_numpy().all()
    assert list(found.columns) == ["a", "b", "c"]


def test_by_held_out_averages_the_sources_of_a_fold() -> None:
    three = scores(("a", "bn", 0, "b", 0.2), ("a", "bn", 0, "c", 0.4), ("a", "bn", 0, "a", 0.9))
    found = tables.by_held_out(three, "bn", "seen", "mAP", ("a", "b"))
    assert found["a"] == pytest.approx(0.3)
    assert math.isnan(found["b"])


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
    found = tables.tidy_matrix(TWO_SEEDS, ("metabin",), DOMAINS)
    assert list(found.columns) == ["method", "held_out", "test_domain", "role", "mAP", "rank1"]
    assert found["role"].tolist() == ["unseen", "seen", "seen", "unseen"]
    np.testing.assert_allclose(found["mAP"], [0.4, 0.8, 0.6, 0.3])
    np.testing.assert_allclose(found["rank1"], [0.2, 0.4, 0.3, 0.15])


def test_gallery_sizes_are_read_from_the_scores() -> None:
    sizes = tables.gallery_sizes(TWO_SEEDS.assign(num_ids=[100, 90, 100, 90, 60, 60, 100, 90, 100]))
    assert sizes == {"unseen": "90 to 100", "seen": "60"}
