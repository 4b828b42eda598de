"""Intervals have the right coverage, and tests agree with textbooks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from metabin.results.intervals import interval_over_people
from metabin.results.statistics import _power, compare, holm, over_queries, smallest_p, units_needed


def test_an_interval_over_identities_covers_the_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        appearance = random.normal(0.5, 0.2, 60)  # of an identity, shared by its five queries
        pid = np.repeat(np.arange(60), 5)
        result = over_queries(appearance[pid] + random.normal(0, 0.02, 300), pid, seed=trial)
        covered += result.low <= 0.5 <= result.high
    assert 180 <= covered <= 198  # one that draws queries covers about 125


def test_the_interval_is_around_the_nested_mean_of_trials_and_seeds():
    # Seed 0 has two trials of one and of three queries, so that single queries weigh differently.
    rows = [(0, 0, 1, 0, 0.0), (0, 1, 1, 0, 1.0), (0, 1, 2, 1, 1.0), (0, 1, 2, 2, 0.4), (1, 0, 2, 0, 0.6)]
    queries = pd.DataFrame(rows, columns=["seed", "trial", "pid", "query", "AP"])
    assert interval_over_people(queries).mean == pytest.approx(((0 + 0.8) / 2 + 0.6) / 2)
    assert interval_over_people(queries[queries["pid"] == 1]) is None


def test_the_mean_is_that_over_queries_not_over_identities():
    assert over_queries(np.array([1.0, 1.0, 1.0, 0.0]), np.array([7, 7, 7, 9])).mean == 0.75


def test_one_identity_has_no_interval():
    with pytest.raises(ValueError, match="1 identities"):
        over_queries(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="1 identities in a domain"):
        over_queries(np.ones(3), np.array([1, 2, 3]), domain=np.array(["a", "a", "b"]))


def test_identities_are_resampled_within_their_domain():
    # all of what differs is between domains: within each no draw can change the mean
    values, domain = np.repeat([0.2, 0.8], 50), np.repeat(["night", "plaza"], 50)
    result = over_queries(values, np.tile(np.arange(10), 10), domain)
    assert (result.mean, result.low, result.high) == pytest.approx((0.5, 0.5, 0.5))
    mixed = over_queries(values, np.arange(100))
    assert mixed.high - mixed.low > 0.1


def test_weights_and_not_numbers_of_queries_decide_the_share_of_a_domain():
    values, domain = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 0, 0, 1, 1])
    weight = np.array([1, 1, 1, 1, 2, 2]) * 7.0
    result = over_queries(values, np.arange(6), domain, weight)
    assert (result.mean, result.low, result.high) == pytest.approx((0.5, 0.5, 0.5))


def test_an_interval_over_domains_is_the_one_of_independent_means():
    random = np.random.default_rng(0)
    values = [random.normal(0, deviation, 400) for deviation in (0.1, 0.3)]
    result = over_queries(np.concatenate(values), np.arange(800), np.repeat([0, 1], 400))
    half = 1.96 * np.sqrt(sum(part.var() / 400 for part in values)) / 2
    assert result.high - result.low == pytest.approx(2 * half, rel=0.06)


def slow_interval(values, pid, domain, weight, seed):
    """Resample the identities of each domain in a loop; the weights of a domain's queries keep their sum."""
    random = np.random.default_rng(seed)
    totals = np.zeros(2000)
    for name in sorted(set(domain)):
        people = sorted(set(pid[domain == name]))
        rows = [(domain == name) & (pid == person) for person in people]
        sums = [sum((weight * values)[row]) for row in rows]
        weights = [sum(weight[row]) for row in rows]
        for number, draw in enumerate(random.integers(len(people), size=(2000, len(people)))):
            mean = sum(sums[index] for index in draw) / sum(weights[index] for index in draw)
            totals[number] += mean * sum(weights) / sum(weight)
    return np.percentile(totals, [2.5, 97.5])


@pytest.mark.parametrize("seed", [0, 3])
def test_an_interval_is_that_of_a_loop_over_resampled_identities(seed):
    random = np.random.default_rng(1)
    values, weight = random.random(24), random.uniform(0.5, 2, 24)
    pid, domain = random.permutation(np.arange(24) % 5 * 7), np.array(["night"] * 10 + ["plaza"] * 14)
    result = over_queries(values, pid, domain, weight, seed)
    assert (result.low, result.high) == pytest.approx(tuple(slow_interval(values, pid, domain, weight, seed)))
    assert result.mean == pytest.approx(np.average(values, weights=weight))


def test_the_default_interval_is_that_of_seed_zero_with_equal_weights():
    values, pid = np.random.default_rng(2).random(30), np.arange(30) // 3
    assert over_queries(values, pid) == over_queries(values, pid, seed=0) != over_queries(values, pid, seed=1)
    expected = slow_interval(values, pid, np.zeros(30), np.ones(30), 0)
    result = over_queries(values, pid)
    assert (result.low, result.high) == pytest.approx(tuple(expected))


def test_a_comparison_is_the_books():
    differences = np.array([1.2, 0.4, -0.3, 0.9, 1.5, 0.2])
    result = compare(differences)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (result.difference.low, result.difference.high) == pytest.approx((expected.low, expected.high))
    assert (result.wins, result.losses, result.num_units) == (5, 1, 6)
    assert result.sign_p == pytest.approx(2 * (1 + 6) / 2**6)
    # of the 64 ways to give signs, those whose sum is as far from 0 as the given one
    sums = [np.dot(signs, differences) for signs in np.stack(np.meshgrid(*[[-1, 1]] * 6), -1).reshape(-1, 6)]
    assert result.permutation_p == pytest.approx(np.mean(np.abs(sums) >= differences.sum() - 1e-12))


def test_single_precision_is_compared_in_double():
    differences = np.random.default_rng(0).normal(0.4, 1, 12).astype(np.float32)
    assert compare(differences) == compare(differences.astype(np.float64))


def test_the_permutation_test_of_many_pairs_draws_ten_thousand_and_is_repeatable():
    differences = np.random.default_rng(1).normal(0.4, 1, 16)
    result = compare(differences)
    assert result.permutation_p * 10_001 == pytest.approx(62)  # of SciPy, with the generator of seed 0
    assert result.std == pytest.approx(0.6145684424600104)
    assert compare(differences) == result


def test_without_an_effect_the_power_is_the_level_of_the_test():
    for count in (2, 5, 9):
        assert _power(0.0, count) == pytest.approx(0.05)


def test_a_small_effect_needs_many_pairs_counted_in_steps_of_a_hundredth():
    assert units_needed(0.1, 1.0) == 788
    assert isinstance(units_needed(0.03, 1.0), int)


def test_holm_by_hand():
    # sorted 0.01 * 4, 0.02 * 3, 0.03 * 2 = 0.06 again, 0.5 * 1
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.04, 0.03]) == pytest.approx([0.06, 0.06])  # the larger is never below the smaller
    assert holm([0.7, 0.6]) == pytest.approx([1.0, 1.0])
    assert holm([]).tolist() == []


@pytest.mark.parametrize("count", [2, 4, 6])
def test_no_number_of_pairs_gives_a_p_below_the_smallest(count):
    result = compare(np.arange(1.0, count + 1))
    assert smallest_p(count) == pytest.approx(result.permutation_p)
    assert smallest_p(count) == pytest.approx(result.sign_p)


def test_equal_scores_are_no_difference():
    result = compare(np.zeros(4))
    assert (result.difference.low, result.difference.high, result.sign_p, result.permutation_p) == (0, 0, 1, 1)
    assert not result.is_significant


def test_as_many_pairs_as_needed_have_the_power():
    count = units_needed(1.0, 2.0)
    assert count == 34  # G*Power's, for d = 0.5
    random = np.random.default_rng(0)
    significant = [compare(random.normal(1.0, 2.0, count)).is_significant for _ in range(300)]
    assert 0.72 < np.mean(significant) < 0.88


def test_a_large_effect_needs_few_pairs():
    # with two pairs the power is 0.63 for d = 8, and 0.82 for d = 12
    assert (units_needed(8.0, 1.0), units_needed(12.0, 1.0)) == (3, 2)
    assert units_needed(1.0, 0.0) == 2


def test_one_difference_is_no_comparison():
    with pytest.raises(ValueError, match="1 paired differences"):
        compare(np.array([1.0]))
