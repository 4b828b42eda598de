"""Differences are paired correctly, and their units are independent."""

import numpy as np
import pandas as pd
import pytest

from metabin.results import comparisons
from metabin.results.comparisons import Pair
from metabin.results.statistics import compare

KEYS = ["fold", "method", "seed", "test_domain", "trial"]
NOTHING = pd.DataFrame()


def scores_of(values):
    """Unseen scores from {(fold, domain, seed, method): mAP}."""
    rows = [(*key, "unseen", mAP) for key, mAP in values.items()]
    return pd.DataFrame(rows, columns=["fold", "test_domain", "seed", "method", "role", "mAP"])


def scored(queries):
    """The scores of queries: mAP is the mean over trials of the means over queries."""
    trials = queries.groupby(KEYS)["AP"].mean().reset_index(name="mAP")
    cells = trials.groupby(KEYS[:-1])["mAP"]
    scores = cells.mean().reset_index().assign(role="unseen")
    return scores.assign(mAP_trial_std=cells.std().to_numpy())


def sample_queries(random, targets, methods, seeds=(0,), *, trials=1, num_ids=12, appearance=0.2, means=None):
    """Queries in which an identity's appearance favours one method, the same for all its queries and seeds."""
    rows = []
    for fold, domains in targets.items():
        for domain in domains:
            favour = {name: random.normal(0, appearance, num_ids) for name in methods}
            for trial in range(trials):
                pids = np.sort(random.permutation(num_ids)[: num_ids - trial])
                for number, pid in enumerate(np.repeat(pids, 2)):
                    for method in methods:
                        for seed in seeds:
                            level = (means or {}).get((method, fold), 0.5)
                            value = level + favour[method][pid] + random.normal(0, 0.02)
                            rows.append((fold, method, seed, domain, trial, pid, 2 * pid + number % 2, value))
    return pd.DataFrame(rows, columns=[*KEYS, "pid", "query", "AP"])


def test_a_meta_learned_method_meets_the_named_opponents_and_others_only_without_them():
    pairs = comparisons.method_pairs(("bn", "in", "half", "bin_fixed", "bin_joint", "metabin", "mldg"))
    assert [pair.key for pair in pairs] == [
        f"{name}_minus_{other}" for name in ("metabin", "mldg") for other in ("bin_joint", "bin_fixed", "max_bn_in")
    ]
    assert comparisons.method_pairs(("bn", "metabin")) == (Pair("metabin", ("bn",)),)
    assert [pair.opponents for pair in comparisons.method_pairs(("half", "dualnorm", "mldg"))] == [
        ("half",),
        ("dualnorm",),
    ]
    assert comparisons.method_pairs(("bn", "bin_joint")) == ()
    assert comparisons.method_pairs(("metabin", "mldg")) == ()


def test_a_meta_learned_method_meets_the_variants_of_baselines_too():
    bases = {"joint-slower": "bin_joint", "running": "metabin"}
    pairs = comparisons.method_pairs(("bin_joint", "joint-slower", "metabin", "running"), bases)
    assert [(pair.method, *pair.opponents) for pair in pairs] == [
        ("joint-slower", "bin_joint"),
        ("metabin", "bin_joint"),
        ("metabin", "joint-slower"),
        ("running", "bin_joint"),
        ("running", "joint-slower"),
    ]


def test_the_domains_and_seeds_of_a_fold_are_one_unit():
    gains = {("a", "x"): [0.02, 0.04], ("a", "y"): [0.06, 0.08], ("b", "z"): [-0.01, 0.03]}
    values = {}
    for (fold, domain), of_seed in gains.items():
        for seed, gain in enumerate(of_seed):
            values |= {(fold, domain, seed, "bn"): 0.3, (fold, domain, seed, "metabin"): 0.3 + gain}
    (comparison,) = comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "metabin"))
    expected = compare(np.array([0.05, 0.01]))
    assert (comparison.unit, comparison.over_units.num_units) == ("fold", 2)
    assert comparison.difference == pytest.approx(0.03)
    assert comparison.over_units.difference.low == pytest.approx(expected.difference.low)
    assert comparison.over_queries is None


def test_a_seed_is_paired_with_itself_alone():
    values = {("a", "x", 0, "bn"): 0.3, ("a", "x", 1, "bn"): 0.9, ("a", "x", 0, "metabin"): 0.4}
    values |= {("b", "y", 0, "bn"): 0.3, ("b", "y", 2, "metabin"): 0.8, ("b", "y", 0, "metabin"): 0.5}
    (comparison,) = comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "metabin"))
    assert comparison.difference == pytest.approx((0.1 + 0.2) / 2)


def test_a_seed_without_all_test_domains_of_its_fold_is_left_out_also_among_the_queries():
    random = np.random.default_rng(0)
    queries = sample_queries(random, {"a": ["x", "y"], "b": ["z"]}, ("bn", "metabin"), seeds=(0, 1))
    missing = (queries["seed"] == 1) & (queries["test_domain"] == "y") & (queries["method"] == "metabin")
    (comparison,) = comparisons.compare_methods(scored(queries[~missing]), queries[~missing], ("bn", "metabin"))
    left_out = (queries["seed"] == 1) & (queries["fold"] == "a")
    (expected,) = comparisons.compare_methods(scored(queries[~left_out]), queries[~left_out], ("bn", "metabin"))
    assert comparison == expected


def test_methods_that_were_never_tested_together_are_no_pair():
    values = {("a", "x", 0, "bn"): 0.3, ("b", "y", 0, "metabin"): 0.4}
    assert comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "metabin")) == ()


def test_the_harder_opponent_is_the_better_one_of_each_fold_on_all_its_domains_and_seeds():
    values = {}
    for fold, seed, bn, norm, metabin in (
        ("a", 0, 0.5, 0.1, 0.55), ("a", 1, 0.3, 0.4, 0.45), ("b", 0, 0.2, 0.4, 0.6), ("b", 1, 0.2, 0.6, 0.6),
    ):  # fmt: skip
        for name, mAP in (("bn", bn), ("in", norm), ("metabin", metabin)):
            values[fold, fold, seed, name] = mAP
    (comparison,) = comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "in", "metabin"))
    assert comparison.pair.opponents == ("bn", "in")
    assert comparison.difference == pytest.approx(
        ((0.5 - 0.4) + (0.6 - 0.5)) / 2
    )  # the best of each seed would give 0.075


def test_one_fold_has_seeds_as_units_and_nothing_is_significant():
    values = {("a", "x", seed, "bn"): 0.3 for seed in range(3)}
    values |= {("a", "x", seed, "metabin"): 0.4 + 0.001 * seed for seed in range(3)}
    (comparison,) = comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "metabin"))
    assert (comparison.unit, comparison.over_units.num_units) == ("seed", 3)
    assert comparison.over_units.difference.low > 0
    assert not comparison.is_significant
    alone = scores_of({key: mAP for key, mAP in values.items() if key[2] == 0})
    (comparison,) = comparisons.compare_methods(alone, NOTHING, ("bn", "metabin"))
    assert (comparison.over_units, comparison.units_for_a_point, comparison.is_significant) == (None, None, False)
    assert comparison.difference == pytest.approx(0.1)
    assert np.isnan(comparison.holm_p)


def test_the_interval_over_queries_is_around_the_same_mean_with_groups_seeds_and_trials():
    random = np.random.default_rng(1)
    targets = {"small": ["viper", "grid", "ilids"], "large": ["market"]}
    methods = ("bn", "in", "metabin")
    means = {("bn", "small"): 0.6, ("in", "large"): 0.6}
    queries = sample_queries(random, targets, methods, seeds=(0, 1), trials=3, means=means)
    (comparison,) = comparisons.compare_methods(scored(queries), queries, methods)
    assert comparison.over_queries.mean == pytest.approx(comparison.difference, abs=1e-12)
    assert comparison.over_queries.low < comparison.difference < comparison.over_queries.high


def test_an_identity_is_resampled_with_all_its_seeds_trials_and_folds():
    random = np.random.default_rng(2)
    once = sample_queries(random, {"a": ["x"]}, ("bn", "metabin"), num_ids=30)
    (expected,) = comparisons.compare_methods(scored(once), once, ("bn", "metabin"))
    again = pd.concat(
        [once.assign(fold=fold, seed=seed, trial=trial) for fold in "ab" for seed in (0, 1) for trial in (0, 1)]
    )
    (comparison,) = comparisons.compare_methods(scored(again), again, ("bn", "metabin"))
    width, same = (item.over_queries.high - item.over_queries.low for item in (expected, comparison))
    assert same == pytest.approx(width, rel=1e-9)  # independent folds would make it 1.4 times shorter


def test_a_domain_with_one_identity_has_no_interval_over_queries():
    queries = sample_queries(np.random.default_rng(0), {"a": ["x"], "b": ["y"]}, ("bn", "metabin"), num_ids=1)
    (comparison,) = comparisons.compare_methods(scored(queries), queries, ("bn", "metabin"))
    assert comparison.over_queries is None
    assert comparison.over_units is not None


def test_intervals_contain_a_true_difference_of_zero_as_often_as_they_say():
    random = np.random.default_rng(0)
    folds, covered = list("abcde"), 0
    for _ in range(300):
        values = {(fold, fold, 0, name): random.normal(0.4, 0.1) for fold in folds for name in ("bn", "metabin")}
        (comparison,) = comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "metabin"))
        covered += not comparison.is_significant
    assert 0.92 * 300 <= covered <= 0.98 * 300


def test_the_interval_over_queries_covers_the_tested_domains_and_not_others():
    random = np.random.default_rng(0)
    over_people, over_places = 0, 0
    for _ in range(60):
        means = {("metabin", fold): 0.5 + random.normal(0, 0.1) for fold in "abc"}
        here = np.mean(list(means.values())) - 0.5
        queries = sample_queries(
            random, {fold: [fold] for fold in "abc"}, ("bn", "metabin"), num_ids=20, appearance=0.1, means=means
        )
        (comparison,) = comparisons.compare_methods(scored(queries), queries, ("bn", "metabin"))
        over_people += comparison.over_queries.low <= here <= comparison.over_queries.high
        over_places += comparison.over_queries.low <= 0 <= comparison.over_queries.high
    assert over_people >= 0.85 * 60
    assert over_places <= 0.8 * 60


def test_holms_p_is_over_all_pairs_that_have_one():
    random = np.random.default_rng(0)
    methods = ("bn", "in", "bin_fixed", "bin_joint", "metabin")
    means = dict.fromkeys(methods, 0.3) | {"metabin": 0.5, "bin_joint": 0.495}
    values = {(fold, fold, 0, name): means[name] + random.normal(0, 0.02) for fold in "abcdefgh" for name in methods}
    items = comparisons.compare_methods(scores_of(values), NOTHING, methods)
    assert [item.pair.opponents[0] for item in items] == ["bin_joint", "bin_fixed", "bn"]
    assert [item.over_units.permutation_p for item in items[1:]] == pytest.approx([2 / 256] * 2)
    assert [item.holm_p for item in items] == pytest.approx([items[0].over_units.permutation_p, 6 / 256, 6 / 256])
    without = scores_of({key: mAP for key, mAP in values.items() if key[3] != "bin_fixed" or key[0] == "a"})
    items = comparisons.compare_methods(without, NOTHING, methods)
    assert np.isnan(items[1].holm_p)
    assert items[2].holm_p == pytest.approx(2 * 2 / 256)


def test_spreads_are_kept_apart():
    values = {
        ("a", "x", 0, "bn"): 0.1, ("a", "y", 0, "bn"): 0.3, ("a", "x", 1, "bn"): 0.2, ("a", "y", 1, "bn"): 0.4,
        ("b", "z", 0, "bn"): 0.6, ("b", "z", 1, "bn"): 0.7, ("a", "x", 0, "in"): 0.5,
    }  # fmt: skip
    scores = scores_of(values).assign(mAP_trial_std=[0.03, np.nan, 0.04, np.nan, np.nan, np.nan, np.nan])
    spreads = comparisons.spreads(scores, ("bn", "in", "half"))
    assert spreads.loc["bn", "mean"] == pytest.approx(2.3 / 6)
    assert spreads.loc["bn", "seeds"] == pytest.approx(np.std([1.0 / 3, 1.3 / 3], ddof=1))
    assert spreads.loc["bn", "folds"] == pytest.approx(np.std([0.25, 0.65], ddof=1))
    assert spreads.loc["bn", "splits"] == pytest.approx(np.sqrt((0.03**2 + 0.04**2) / 2))
    assert spreads.loc["in", "mean"] == 0.5
    assert spreads.loc["in", ["seeds", "folds", "splits"]].isna().all()
    assert spreads.loc["half"].isna().all()
    assert comparisons.spreads(scores.drop(columns="mAP_trial_std"), ("bn",))["splits"].isna().all()


def test_the_summary_has_numbers_alone():
    values = {("a", "x", 0, "bn"): 0.3, ("a", "x", 0, "metabin"): 0.4}
    alone = comparisons.compare_methods(scores_of(values), NOTHING, ("bn", "metabin"))
    assert comparisons.summary(alone) == {"metabin_minus_bn": {"difference": 0.1}}
    two = scores_of(values | {("b", "y", 0, "bn"): 0.3, ("b", "y", 0, "metabin"): 0.5})
    result = comparisons.summary(comparisons.compare_methods(two, NOTHING, ("bn", "metabin")))["metabin_minus_bn"]
    assert result == {"difference": 0.15, "low": -0.48531, "high": 0.78531}
