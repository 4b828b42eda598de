"""Intervals cover what they should, tests are those of the books, and the verdict claims no more."""

import numpy as np
import pytest
from scipy import stats

from metabin.protocol.statistics import compare, over_queries, units_needed, verdict


def test_an_interval_over_identities_covers_the_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        looks = random.normal(0.5, 0.2, 60)  # of an identity, shared by its five queries
        pid = np.repeat(np.arange(60), 5)
        found = over_queries(looks[pid] + random.normal(0, 0.02, 300), pid, seed=trial)
        covered += found.low <= 0.5 <= found.high
    assert 180 <= covered <= 198  # one that draws queries covers about 125


def test_the_mean_is_that_over_queries_not_over_identities():
    assert over_queries(np.array([1.0, 1.0, 1.0, 0.0]), np.array([7, 7, 7, 9])).mean == 0.75


def test_one_identity_has_no_interval():
    with pytest.raises(ValueError, match="1 identities"):
        over_queries(np.ones(3), np.zeros(3))


def test_a_comparison_is_the_books():
    differences = np.array([1.2, 0.4, -0.3, 0.9, 1.5, 0.2])
    found = compare(differences)
    wanted = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.wins, found.losses, found.num_units) == (5, 1, 6)
    assert found.sign_p == pytest.approx(2 * (1 + 6) / 2**6)
    # of the 64 ways to give signs, those whose sum is as far from 0 as the one found
    sums = [np.dot(signs, differences) for signs in np.stack(np.meshgrid(*[[-1, 1]] * 6), -1).reshape(-1, 6)]
    assert found.permutation_p == pytest.approx(np.mean(np.abs(sums) >= differences.sum() - 1e-12))


@pytest.mark.parametrize(
    ("differences", "start"),
    [
        ([1.0, -1.0, 0.5, -0.2], "no difference shown between MetaBIN and BIN joint: +0.1 points"),
        ([1.0, 1.1, 0.9, 1.0], "MetaBIN is above BIN joint: +1.0 points [+0.9, +1.1], 4 to 0 of 4"),
        ([-1.0, -1.1, -0.9, -1.0], "MetaBIN is below BIN joint: -1.0 points"),
    ],
)
def test_the_verdict(differences, start):
    assert verdict("MetaBIN", "BIN joint", compare(np.array(differences))).startswith(start)


def test_as_many_pairs_as_needed_have_the_power():
    count = units_needed(1.0, 2.0)
    assert count == 34  # G*Power's, for d = 0.5
    random = np.random.default_rng(0)
    shown = [compare(random.normal(1.0, 2.0, count)).shown for _ in range(300)]
    assert 0.72 < np.mean(shown) < 0.88


def test_one_difference_is_no_comparison():
    with pytest.raises(ValueError, match="1 paired differences"):
        compare(np.array([1.0]))
