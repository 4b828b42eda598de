"""Differences are paired as they should be, their units are independent, and no more is shown than there is."""

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


def draw_queries(random, targets, methods, seeds=(0,), *, trials=1, num_ids=12, looks=0.2, means=None):
    """Queries in which an identity's looks favour one method or another, the same for all its queries and seeds."""
    rows = []
    for fold, domains in targets.items():
        for domain in domains:
            favour = {name: random.normal(0, looks, num_ids) for name in methods}
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
    pairs = comparisons.pairs_of(("bn", "in", "half", "bin_fixed", "bin_joint", "metabin", "mldg"))
    assert [pair.key for pair in pairs] == [
        f"{name}_less_{other}" for name in ("metabin", "mldg") for other in ("bin_joint", "bin_fixed", "max_bn_in")
    ]
    assert comparisons.pairs_of(("bn", "metabin")) == (Pair("metabin", ("bn",)),)
    assert [pair.opponents for pair in comparisons.pairs_of(("half", "dualnorm", "mldg"))] == [("half",), ("dualnorm",)]
    assert comparisons.pairs_of(("bn", "bin_joint")) == ()
    assert comparisons.pairs_of(("metabin", "mldg")) == ()


def test_what_learns_in_episodes_meets_the_variants_of_baselines_too():
    bases = {"joint-slower": "bin_joint", "running": "metabin"}
    pairs = comparisons.pairs_of(("bin_joint", "joint-slower", "metabin", "running"), bases)
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
    (found,) = comparisons.weigh(scores_of(values), NOTHING, ("bn", "metabin"))
    wanted = compare(np.array([0.05, 0.01]))
    assert (found.unit, found.over_units.num_units) == ("fold", 2)
    assert found.difference == pytest.approx(0.03)
    assert found.over_units.difference.low == pytest.approx(wanted.difference.low)
    assert found.over_queries is None


def test_a_seed_is_paired_with_itself_alone():
    values = {("a", "x", 0, "bn"): 0.3, ("a", "x", 1, "bn"): 0.9, ("a", "x", 0, "metabin"): 0.4}
    values |= {("b", "y", 0, "bn"): 0.3, ("b", "y", 2, "metabin"): 0.8, ("b", "y", 0, "metabin"): 0.5}
    (found,) = comparisons.weigh(scores_of(values), NOTHING, ("bn", "metabin"))
    assert found.difference == pytest.approx((0.1 + 0.2) / 2)


def test_a_seed_without_all_test_domains_of_its_fold_is_left_out_also_among_the_queries():
    random = np.random.default_rng(0)
    queries = draw_queries(random, {"a": ["x", "y"], "b": ["z"]}, ("bn", "metabin"), seeds=(0, 1))
    missing = (queries["seed"] == 1) & (queries["test_domain"] == "y") & (queries["method"] == "metabin")
    (found,) = comparisons.weigh(scored(queries[~missing]), queries[~missing], ("bn", "metabin"))
    left_out = (queries["seed"] == 1) & (queries["fold"] == "a")
    (wanted,) = comparisons.weigh(scored(queries[~left_out]), queries[~left_out], ("bn", "metabin"))
    assert found == wanted


def test_methods_that_were_never_tested_together_are_no_pair():
    values = {("a", "x", 0, "bn"): 0.3, ("b", "y", 0, "metabin"): 0.4}
    assert comparisons.weigh(scores_of(values), NOTHING, ("bn", "metabin")) == ()


def test_the_harder_opponent_is_the_better_one_of_each_fold_on_all_its_domains_and_seeds():
    values = {}
    for fold, seed, bn, norm, own in (
        ("a", 0, 0.5, 0.1, 0.55), ("a", 1, 0.3, 0.4, 0.45), ("b", 0, 0.2, 0.4, 0.6), ("b", 1, 0.2, 0.6, 0.6),
    ):  # fmt: skip
        for name, mAP in (("bn", bn), ("in", norm), ("metabin", own)):
            values[fold, fold, seed, name] = mAP
    (found,) = comparisons.weigh(scores_of(values), NOTHING, ("bn", "in", "metabin"))
    assert found.pair.opponents == ("bn", "in")
    assert found.difference == pytest.approx(((0.5 - 0.4) + (0.6 - 0.5)) / 2)  # a seed's own best would be 0.075


def test_one_fold_has_seeds_as_units_and_shows_nothing():
    values = {("a", "x", seed, "bn"): 0.3 for seed in range(3)}
    values |= {("a", "x", seed, "metabin"): 0.4 + 0.001 * seed for seed in range(3)}
    (found,) = comparisons.weigh(scores_of(values), NOTHING, ("bn", "metabin"))
    assert (found.unit, found.over_units.num_units) == ("seed", 3)
    assert found.over_units.difference.low > 0
    assert not found.shown
    alone = scores_of({key: mAP for key, mAP in values.items() if key[2] == 0})
    (found,) = comparisons.weigh(alone, NOTHING, ("bn", "metabin"))
    assert (found.over_units, found.units_for_a_point, found.shown) == (None, None, False)
    assert found.difference == pytest.approx(0.1)
    assert np.isnan(found.holm_p)


def test_the_interval_over_queries_is_around_the_same_mean_with_groups_seeds_and_trials():
    random = np.random.default_rng(1)
    targets = {"small": ["viper", "grid", "ilids"], "large": ["market"]}
    methods = ("bn", "in", "metabin")
    means = {("bn", "small"): 0.6, ("in", "large"): 0.6}
    queries = draw_queries(random, targets, methods, seeds=(0, 1), trials=3, means=means)
    (found,) = comparisons.weigh(scored(queries), queries, methods)
    assert found.over_queries.mean == pytest.approx(found.difference, abs=1e-12)
    assert found.over_queries.low < found.difference < found.over_queries.high


def test_an_identity_is_drawn_as_a_whole_with_its_seeds_trials_and_folds():
    random = np.random.default_rng(2)
    once = draw_queries(random, {"a": ["x"]}, ("bn", "metabin"), num_ids=30)
    (wanted,) = comparisons.weigh(scored(once), once, ("bn", "metabin"))
    again = pd.concat(
        [once.assign(fold=fold, seed=seed, trial=trial) for fold in "ab" for seed in (0, 1) for trial in (0, 1)]
    )
    (found,) = comparisons.weigh(scored(again), again, ("bn", "metabin"))
    width, same = (one.over_queries.high - one.over_queries.low for one in (wanted, found))
    assert same == pytest.approx(width, rel=1e-9)  # independent folds would make it 1.4 times shorter


def test_a_domain_with_one_identity_has_no_interval_over_queries():
    queries = draw_queries(np.random.default_rng(0), {"a": ["x"], "b": ["y"]}, ("bn", "metabin"), num_ids=1)
    (found,) = comparisons.weigh(scored(queries), queries, ("bn", "metabin"))
    assert found.over_queries is None
    assert found.over_units is not None


def test_intervals_contain_a_true_difference_of_zero_as_often_as_they_say():
    random = np.random.default_rng(0)
    folds, covered = list("abcde"), 0
    for _ in range(300):
        values = {(fold, fold, 0, name): random.normal(0.4, 0.1) for fold in folds for name in ("bn", "metabin")}
        (found,) = comparisons.weigh(scores_of(values), NOTHING, ("bn", "metabin"))
        covered += not found.shown
    assert 0.92 * 300 <= covered <= 0.98 * 300


def test_the_interval_over_queries_covers_the_places_tested_and_not_others():
    random = np.random.default_rng(0)
    over_people, over_places = 0, 0
    for _ in range(60):
        means = {("metabin", fold): 0.5 + random.normal(0, 0.1) for fold in "abc"}
        here = np.mean(list(means.values())) - 0.5
        queries = draw_queries(
            random, {fold: [fold] for fold in "abc"}, ("bn", "metabin"), num_ids=20, looks=0.1, means=means
        )
        (found,) = comparisons.weigh(scored(queries), queries, ("bn", "metabin"))
        over_people += found.over_queries.low <= here <= found.over_queries.high
        over_places += found.over_queries.low <= 0 <= found.over_queries.high
    assert over_people >= 0.85 * 60
    assert over_places <= 0.8 * 60


def test_holms_p_is_over_all_pairs_that_have_one():
    random = np.random.default_rng(0)
    methods = ("bn", "in", "bin_fixed", "bin_joint", "metabin")
    means = dict.fromkeys(methods, 0.3) | {"metabin": 0.5, "bin_joint": 0.495}
    values = {(fold, fold, 0, name): means[name] + random.normal(0, 0.02) for fold in "abcdefgh" for name in methods}
    found = comparisons.weigh(scores_of(values), NOTHING, methods)
    assert [one.pair.opponents[0] for one in found] == ["bin_joint", "bin_fixed", "bn"]
    assert [one.over_units.permutation_p for one in found[1:]] == pytest.approx([2 / 256] * 2)
    assert [one.holm_p for one in found] == pytest.approx([found[0].over_units.permutation_p, 6 / 256, 6 / 256])
    without = scores_of({key: mAP for key, mAP in values.items() if key[3] != "bin_fixed" or key[0] == "a"})
    found = comparisons.weigh(without, NOTHING, methods)
    assert np.isnan(found[1].holm_p)
    assert found[2].holm_p == pytest.approx(2 * 2 / 256)


def test_spreads_are_kept_apart():
    values = {
        ("a", "x", 0, "bn"): 0.1, ("a", "y", 0, "bn"): 0.3, ("a", "x", 1, "bn"): 0.2, ("a", "y", 1, "bn"): 0.4,
        ("b", "z", 0, "bn"): 0.6, ("b", "z", 1, "bn"): 0.7, ("a", "x", 0, "in"): 0.5,
    }  # fmt: skip
    scores = scores_of(values).assign(mAP_trial_std=[0.03, np.nan, 0.04, np.nan, np.nan, np.nan, np.nan])
    found = comparisons.spreads(scores, ("bn", "in", "half"))
    assert found.loc["bn", "mean"] == pytest.approx(2.3 / 6)
    assert found.loc["bn", "seeds"] == pytest.approx(np.std([1.0 / 3, 1.3 / 3], ddof=1))
    assert found.loc["bn", "folds"] == pytest.approx(np.std([0.25, 0.65], ddof=1))
    assert found.loc["bn", "splits"] == pytest.approx(np.sqrt((0.03**2 + 0.04**2) / 2))
    assert found.loc["in", "mean"] == 0.5
    assert found.loc["in", ["seeds", "folds", "splits"]].isna().all()
    assert found.loc["half"].isna().all()
    assert comparisons.spreads(scores.drop(columns="mAP_trial_std"), ("bn",))["splits"].isna().all()


def test_the_summary_has_numbers_alone():
    values = {("a", "x", 0, "bn"): 0.3, ("a", "x", 0, "metabin"): 0.4}
    alone = comparisons.weigh(scores_of(values), NOTHING, ("bn", "metabin"))
    assert comparisons.summary(alone) == {"metabin_less_bn": {"difference": 0.1}}
    two = scores_of(values | {("b", "y", 0, "bn"): 0.3, ("b", "y", 0, "metabin"): 0.5})
    found = comparisons.summary(comparisons.weigh(two, NOTHING, ("bn", "metabin")))["metabin_less_bn"]
    assert found == {"difference": 0.15, "low": -0.48531, "high": 0.78531}
