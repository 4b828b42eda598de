"""`metabin compare`: two models on the data of a pipeline."""

import json

import pandas as pd
import pytest
from tiny import refuse, succeed

from metabin.results.comparisons import compare_methods

METABIN = "models/night/metabin/seed-0"
BN = "models/night/bn/seed-0"


def test_the_difference_is_that_of_the_report(in_pipeline):
    rows = json.loads(succeed("compare", METABIN, BN, "--domain", "night", "--format", "json").stdout)
    scores, queries = (pd.read_csv(f"results/night/{name}.csv") for name in ("scores", "queries"))
    scores = scores[scores["seed"] >= 0]
    (expected,) = compare_methods(scores, queries, ["bn", "metabin"])
    (row,) = rows
    values = [row["difference"], row["low"], row["high"]]
    interval = expected.over_queries
    assert values == pytest.approx([expected.difference, interval.low, interval.high], abs=2e-6)
    unseen = scores[scores["role"] == "unseen"].set_index("method")["mAP"]
    assert [row["mAP_a"], row["mAP_b"]] == pytest.approx([unseen["metabin"], unseen["bn"]], abs=1e-6)
    assert row["better"] == ("A" if row["low"] > 0 else "B" if row["high"] < 0 else "")


def test_the_models_exchanged_give_the_opposite_difference(in_pipeline):
    tables = [
        json.loads(succeed("compare", *models, "--format", "json").stdout) for models in ((METABIN, BN), (BN, METABIN))
    ]
    for row, opposite in zip(*tables, strict=True):
        assert row["test_domain"] == opposite["test_domain"]
        assert row["difference"] == -opposite["difference"]
        assert (row["low"], row["high"]) == pytest.approx((-opposite["high"], -opposite["low"]), abs=2e-6)
    assert [row["test_domain"] for row in tables[0]] == ["night", "campus", "plaza", "all"]


def test_text_says_that_equal_models_cannot_be_told_apart(in_pipeline):
    lines = succeed("compare", METABIN, METABIN, "--domain", "night").stdout.splitlines()
    assert lines[:2] == [f"A: {METABIN}", f"B: {METABIN}"]
    assert lines[4].split()[-4:] == ["0.0", "0.0", "to", "0.0"]
    assert lines[-1] == "night: the data do not tell which is better."


@pytest.mark.bad_input("command line")
def test_bad_input_names_the_model_or_the_data(in_pipeline):
    assert "models/night/none does not exist" in refuse("compare", METABIN, "models/night/none")
    assert "unknown domain moon" in refuse("compare", METABIN, BN, "--domain", "moon")
