import dataclasses

import numpy as np
import oracles
import pandas as pd
import pytest
import torch

from metabin.evaluation import overlap, ranked_lists, scoring, untrained
from metabin.model.embedder import build_embedder
from metabin.types import Embeddings, ImageRecord, RetrievalScores


@pytest.fixture
def test_set(make_images):
    images = make_images(num_domains=1, num_ids=6, num_images=3)
    return scoring.TestSet("site0", True, images, images)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_embedder("resnet_small", 6).eval()


def test_embeddings_do_not_depend_on_the_batch_size(model, test_set):
    large, small = (scoring.embed(model, test_set.gallery, batch_size=size) for size in (256, 5))
    np.testing.assert_allclose(large.features, small.features, atol=1e-5)
    assert large.features.shape == (18, 128)


def test_a_model_in_training_mode_is_refused(model, test_set):
    with pytest.raises(ValueError, match="call eval"):
        scoring.embed(model.train(), test_set.gallery)


def test_a_row_names_the_test_and_agrees_with_a_slow_oracle(model, test_set):
    query, gallery = scoring.embed_test(model, test_set)
    row = scoring.score_row(scoring.retrieval_scores(query, gallery), test_set)
    from metabin.evaluation.metrics import cosine_distance

    distance = cosine_distance(query.features, gallery.features).tolist()
    columns = [list(values) for values in (query.pid, gallery.pid, query.camid, gallery.camid)]
    m_ap, m_inp, rank1, valid = oracles.retrieval(distance, *columns, 1)
    assert (row["test_domain"], row["role"], row["num_ids"], row["num_query"]) == ("site0", "unseen", 6, valid)
    assert (row["mAP"], row["mINP"], row["rank1"]) == pytest.approx((m_ap, m_inp, rank1))
    assert list(row)[5:] == ["mAP", "mINP", "rank1", "rank5", "rank10"]


def test_a_query_with_a_match_is_identified_by_its_row_in_the_domain(make_images):
    images = make_images(num_domains=1, num_ids=4, num_images=3)
    shifted = dataclasses.replace(images, row=images.row + 100)
    scores = RetrievalScores(0.5, 0.5, {1: 0.5}, 2, {3: 0.25, 7: 0.75})
    table = scoring.query_table(scores, scoring.TestSet("site0", True, shifted, shifted, trial=2))
    assert table.to_dict("list") == {
        "test_domain": ["site0", "site0"],
        "trial": [2, 2],
        "pid": [int(images.pid[3]), int(images.pid[7])],
        "query": [int(images.row[3]) + 100, int(images.row[7]) + 100],
        "AP": [0.25, 0.75],
    }
    nothing = RetrievalScores(np.nan, np.nan, {1: np.nan}, 0)
    assert scoring.query_table(nothing, scoring.TestSet("site0", True, shifted, shifted)).empty


def test_stripes_find_identities_that_differ_in_colour_and_chance_does_not(test_set):
    assert untrained.colour_scores(test_set, num_stripes=8).cmc[1] > 0.9
    chance = untrained.chance_scores(test_set)
    assert chance.cmc[1] < 0.5
    assert chance == untrained.chance_scores(test_set)


def test_ranked_lists_are_the_best_the_median_and_the_worst(make_images):
    # The match of query q has the rank q + 1: average precision falls with q.
    size, pid = 5, np.arange(5)
    features = np.eye(size, dtype=np.float32)
    gallery = np.zeros((size, size), np.float32)
    for q in range(size):
        gallery[:, q] = [1.0 - 0.1 * ((g - q - 1) % size + 1) for g in range(size)]
        better = [g for g in range(size) if g != q][:q]
        gallery[:, q] = [0.9 if g in better else 0.5 if g == q else 0.1 for g in range(size)]
    gallery = np.concatenate([gallery, np.full((size, 1), 0.0)], axis=1)
    features = np.concatenate([features, np.zeros((size, 1), np.float32)], axis=1)
    gallery[:, -1] = np.sqrt(np.maximum(4 - np.square(gallery).sum(axis=1), 0))  # equal lengths: cosine keeps the order
    images = make_images(num_domains=1, num_ids=5, num_images=1)
    records = tuple(ImageRecord(f"{index}.jpg", index, 0, "site0") for index in range(size))
    lists = ranked_lists.example_lists(
        ranked_lists.Retrieval({}, Embeddings(features, pid, np.zeros(size)), Embeddings(gallery, pid, np.ones(size))),
        None,
        scoring.TestSet("site0", True, images, images),
        records,
        "dark/site0",
        length=3,
    )
    assert [(entry["kind"], entry["query"]["path"], entry["average_precision"]) for entry in lists] == [
        ("best", "dark/site0/0.jpg", 1.0),
        ("typical", "dark/site0/2.jpg", pytest.approx(1 / 3)),
        ("worst", "dark/site0/4.jpg", pytest.approx(1 / 5)),
    ]
    assert [item["correct"] for item in lists[1]["gallery"]] == [False, False, True]
    distances = [item["distance"] for item in lists[2]["gallery"]]
    assert distances == sorted(distances)
    assert len(distances) == 3


def test_no_list_when_no_query_has_a_match(test_set):
    query = Embeddings(np.ones((1, 2), np.float32), np.array([1]), np.array([0]))
    gallery = Embeddings(np.ones((1, 2), np.float32), np.array([2]), np.array([0]))
    retrieval = ranked_lists.Retrieval({}, query, gallery)
    assert ranked_lists.example_lists(retrieval, None, test_set, (), "site0") == []


def test_with_a_baseline_there_are_the_queries_that_gain_and_lose_most():
    queries = ranked_lists.example_queries({0: 0.5, 3: 1.0, 4: 0.2, 7: 0.9}, {0: 0.1, 3: 1.0, 4: 0.6, 7: 0.8})
    assert queries == {"best": 3, "typical": 0, "worst": 4, "gain": 0, "loss": 4}


def test_trials_of_a_target_become_a_mean_with_a_deviation():
    rows = [
        {"fold": "f", "method": "bn", "seed": 0, "test_domain": "viper", "role": "unseen", "trial": trial}
        | {"num_ids": 316, "num_query": 316, "mAP": mAP, "mINP": mAP, "rank1": rank1, "rank5": 0.5, "rank10": 1.0}
        for trial, mAP, rank1 in ((0, 0.2, 0.1), (1, 0.4, 0.3), (2, 0.6, 0.2))
    ]
    single = {**rows[0], "test_domain": "campus", "trial": -1}
    means = scoring.mean_over_trials(pd.DataFrame([*rows, single])).set_index("test_domain")
    assert list(means.index) == ["viper", "campus"]
    assert means.loc["viper", ["mAP", "rank1", "num_trials", "num_ids"]].tolist() == pytest.approx([0.4, 0.2, 3, 316])
    assert means.loc["viper", ["mAP_trial_std", "rank1_trial_std"]].tolist() == pytest.approx([0.2, 0.1])
    assert means.loc["campus", "num_trials"] == 1
    assert pd.isna(means.loc["campus", "mAP_trial_std"])


def test_identities_and_queries_are_counted_where_they_are_scored(make_images):
    images = make_images(num_domains=1, num_ids=6, num_images=3)
    images.camid[:6] = 0  # the first two people under one camera
    images.camid[6] = images.camid[7] = images.camid[8] = 1
    images.camid[8] = 2  # of the third, every image has a match
    test = scoring.TestSet("site0", True, images, images)
    for scores in (untrained.chance_scores(test), untrained.colour_scores(test, num_stripes=1)):
        row = scoring.score_row(scores, test)
        assert (row["num_ids"], row["num_query"]) == (4, 12)
    images.camid[:] = 0
    row = scoring.score_row(untrained.chance_scores(test), test)
    assert (row["num_ids"], row["num_query"]) == (0, 0)
    assert np.isnan(row["mAP"])


@pytest.mark.parametrize("norm", ["bn", "half"])
@pytest.mark.parametrize("empty", ["query", "gallery"])
def test_a_test_without_queries_or_without_a_gallery_has_no_score(norm, empty, test_set):
    model = build_embedder("resnet_small", 6, norm=norm).eval()
    nothing = overlap.select_images(test_set.query, np.zeros(len(test_set.query), bool))
    test = dataclasses.replace(test_set, **{empty: nothing})
    scores = [
        scoring.retrieval_scores(*scoring.embed_test(model, test)),
        untrained.chance_scores(test),
        untrained.colour_scores(test, num_stripes=8),
    ]
    assert [scoring.score_row(result, test)["num_query"] for result in scores] == [0, 0, 0]
    assert scoring.query_table(scores[0], test).empty
    assert (
        ranked_lists.example_lists(
            ranked_lists.Retrieval({}, *scoring.embed_test(model, test)), None, test, (), "site0"
        )
        == []
    )
    key = {"fold": "f", "method": "bn", "seed": 0}
    rows = pd.DataFrame([key | scoring.score_row(result, test) for result in scores])
    means = scoring.mean_over_trials(rows)
    assert np.isnan(means["mAP"].item())
    assert means["num_query"].item() == 0
