"""Intervals cover what they should, tests are those of the books, and the verdict claims no more."""

import numpy as np
import pytest
from scipy import stats

from metabin.results.statistics import compare, holm, over_queries, smallest_p, units_needed


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
    with pytest.raises(ValueError, match="1 identities in a domain"):
        over_queries(np.ones(3), np.array([1, 2, 3]), domain=np.array(["a", "a", "b"]))


def test_identities_are_drawn_within_their_domain():
    # all of what differs is between domains: within each no draw can change the mean
    values, domain = np.repeat([0.2, 0.8], 50), np.repeat(["night", "plaza"], 50)
    found = over_queries(values, np.tile(np.arange(10), 10), domain)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    mixed = over_queries(values, np.arange(100))
    assert mixed.high - mixed.low > 0.1


def test_weights_and_not_numbers_of_queries_say_what_a_domain_counts():
    values, domain = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 0, 0, 1, 1])
    weight = np.array([1, 1, 1, 1, 2, 2]) * 7.0
    found = over_queries(values, np.arange(6), domain, weight)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_an_interval_over_domains_is_the_one_of_independent_means():
    random = np.random.default_rng(0)
    values = [random.normal(0, deviation, 400) for deviation in (0.1, 0.3)]
    found = over_queries(np.concatenate(values), np.arange(800), np.repeat([0, 1], 400))
    half = 1.96 * np.sqrt(sum(part.var() / 400 for part in values)) / 2
    assert found.high - found.low == pytest.approx(2 * half, rel=0.06)


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


def test_holm_by_hand():
    # sorted 0.01 * 4, 0.02 * 3, 0.03 * 2 = 0.06 again, 0.5 * 1
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.04, 0.03]) == pytest.approx([0.06, 0.06])  # the larger is never below the smaller
    assert holm([0.7, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([]).tolist() == []


@pytest.mark.parametrize("count", [2, 4, 6])
def test_no_number_of_pairs_gives_a_p_below_the_smallest(count):
    found = compare(np.arange(1.0, count + 1))
    assert smallest_p(count) == pytest.approx(found.permutation_p)
    assert smallest_p(count) == pytest.approx(found.sign_p)


def test_equal_scores_are_no_difference():
    found = compare(np.zeros(4))
    assert (found.difference.low, found.difference.high, found.sign_p, found.permutation_p) == (0, 0, 1, 1)
    assert not found.shown


def test_as_many_pairs_as_needed_have_the_power():
    count = units_needed(1.0, 2.0)
    assert count == 34  # G*Power's, for d = 0.5
    random = np.random.default_rng(0)
    shown = [compare(random.normal(1.0, 2.0, count)).shown for _ in range(300)]
    assert 0.72 < np.mean(shown) < 0.88


def test_one_difference_is_no_comparison():
    with pytest.raises(ValueError, match="1 paired differences"):
        compare(np.array([1.0]))
