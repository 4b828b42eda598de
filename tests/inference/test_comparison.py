"""The comparison of two models on the same queries."""

import numpy as np
import pandas as pd
import pytest

from metabin.errors import ConfigError
from metabin.inference.comparison import compare_evaluations, fairness_remarks
from metabin.inference.evaluation import Evaluation
from metabin.results.comparisons import compare_methods
from metabin.results.statistics import over_queries


def make_queries(domain="night", *, num_ids=20, per_id=3, trial=-1, seed=0):
    """The average precision of random queries."""
    random = np.random.default_rng(seed)
    count = num_ids * per_id
    pid = np.arange(num_ids).repeat(per_id)
    precision = random.uniform(0.2, 0.6, count)
    return pd.DataFrame({"test_domain": domain, "trial": trial, "pid": pid, "query": np.arange(count), "AP": precision})


def make_evaluation(queries, role="unseen"):
    names = queries["test_domain"].unique()
    return Evaluation(pd.DataFrame({"test_domain": names, "role": role}), queries, ())


def shift(queries, difference):
    return queries.assign(AP=queries["AP"] + difference)


@pytest.mark.parametrize(("gain", "better"), [(0.05, "A"), (-0.05, "B")])
def test_a_model_that_is_better_on_every_query_is_better(gain, better):
    queries = make_queries()
    comparison = compare_evaluations(make_evaluation(shift(queries, gain)), make_evaluation(queries))
    (row,) = comparison.to_dict("records")
    assert row["better"] == better
    assert row["difference"] == pytest.approx(gain)
    assert row["low"] == pytest.approx(gain)
    assert row["high"] == pytest.approx(gain)
    assert row["mAP_b"] == pytest.approx(queries["AP"].mean())
    assert (row["num_ids"], row["num_query"]) == (20, 60)


def test_the_interval_resamples_identities_and_noise_is_no_difference():
    first, second = make_queries(seed=1), make_queries(seed=2)
    (row,) = compare_evaluations(make_evaluation(first), make_evaluation(second)).to_dict("records")
    expected = over_queries((first["AP"] - second["AP"]).to_numpy(), first["pid"].to_numpy())
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert row["low"] < 0 < row["high"]
    assert row["better"] == ""


def test_queries_are_paired_by_their_image_and_not_by_their_order():
    queries = make_queries()
    shuffled = shift(queries, -0.1).sample(frac=1, random_state=0)
    (row,) = compare_evaluations(make_evaluation(queries), make_evaluation(shuffled)).to_dict("records")
    assert (row["low"], row["high"]) == pytest.approx((0.1, 0.1))


def test_data_sets_and_their_splits_count_equally():
    large = [shift(make_queries(num_ids=40), 0.0)]
    splits = [make_queries("viper", num_ids=10, trial=0), make_queries("viper", num_ids=5, trial=1)]
    gains = (0.3, 0.1, 0.2)  # of the large data set and of the two splits
    first = pd.concat([shift(part, gain) for part, gain in zip([*large, *splits], gains, strict=True)])
    second = pd.concat([*large, *splits])
    rows = compare_evaluations(make_evaluation(first), make_evaluation(second)).set_index("test_domain")
    assert rows.index.tolist() == ["night", "viper", "all"]
    assert rows["difference"].tolist() == pytest.approx([0.3, 0.15, 0.225])
    assert rows["num_query"].tolist() == [120, 45, 165]
    assert rows["num_ids"].tolist() == [40, 10, 50]


def test_the_difference_and_the_interval_are_those_of_the_report():
    parts = [make_queries("viper", trial=trial, seed=trial) for trial in (0, 1)]
    second = pd.concat([make_queries("grid", num_ids=12), *parts])
    first = second.assign(AP=make_queries(num_ids=52, seed=9)["AP"].to_numpy())
    tables = {"metabin": first, "bin_joint": second}
    keys = {"fold": "cities", "seed": 0}
    queries = pd.concat([table.assign(method=name, **keys) for name, table in tables.items()])
    scores = queries.groupby(["method", "test_domain", "trial"], as_index=False)["AP"].mean()
    scores = scores.groupby(["method", "test_domain"], as_index=False)["AP"].mean().rename(columns={"AP": "mAP"})
    (expected,) = compare_methods(scores.assign(role="unseen", **keys), queries, ["bin_joint", "metabin"])
    row = compare_evaluations(make_evaluation(first), make_evaluation(second)).set_index("test_domain").loc["all"]
    assert row["difference"] == pytest.approx(expected.difference)
    interval = expected.over_queries
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))


def test_one_identity_has_no_interval_and_no_verdict():
    queries = make_queries(num_ids=1)
    comparison = compare_evaluations(make_evaluation(shift(queries, 0.1)), make_evaluation(queries))
    assert comparison["difference"].tolist() == pytest.approx([0.1])
    assert comparison[["low", "high"]].isna().all(axis=None)
    assert comparison["better"].tolist() == [""]


def test_different_queries_are_refused():
    with pytest.raises(ConfigError, match="on 60 and 57 queries, of which 57 are the same; evaluate both"):
        compare_evaluations(make_evaluation(make_queries()), make_evaluation(make_queries().iloc[3:]))


def test_a_data_set_that_one_model_has_seen_is_a_remark():
    queries = make_queries()
    comparison = compare_evaluations(make_evaluation(queries), make_evaluation(queries, "seen"))
    (remark,) = fairness_remarks(comparison)
    assert remark.startswith("night: model B trained on this data set and the other model did not")
    assert fairness_remarks(compare_evaluations(make_evaluation(queries), make_evaluation(queries))) == []
