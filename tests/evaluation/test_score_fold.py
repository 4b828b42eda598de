"""The tables of a fold: their rows, their order, and the candidates."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from metabin.evaluation import score_fold as module
from metabin.evaluation.score_fold import FoldInputs, score_fold
from metabin.evaluation.scoring import TestSet, embed_test, retrieval_scores, score_tests
from metabin.evaluation.untrained import UNTRAINED
from metabin.evaluation.verification import RATES
from metabin.model.embedder import build_embedder
from metabin.results import selection
from metabin.types import ImageRecord

TRAININGS = [("bn", 0), ("bn", 1), ("metabin", 0), ("metabin", 1)]
DOMAINS = (("target", "unseen"), ("source", "seen"))
CPU = torch.device("cpu")
CANDIDATES = {10: 0.25, 20: 0.5, 30: float("nan")}


def make_model(method, seed, *, step=None):
    """A random network, another one for every method, seed and step."""
    torch.manual_seed(1000 * len(method) + 100 * seed + (step or 0))
    return build_embedder("resnet_small", 6).eval()


@pytest.fixture
def inputs(make_images):
    """A held-out domain with two trials, a source, and an overlap of the second person of each."""
    images = make_images(num_domains=1, num_ids=6, num_images=3)
    records = [ImageRecord(f"{index}.jpg", 0, 0, "t") for index in range(len(images))]
    tests = [TestSet("target", True, images, images, trial) for trial in (0, 1)]
    overlap = {"target": "target", "num_pairs": 3, "pids": [1], "distractors": []}
    return FoldInputs(
        fold="target",
        trainings=TRAININGS,
        example=("metabin", 0),
        baseline=("bn", 0),
        mapped=[],
        tests=[*tests, TestSet("source", False, images, images)],
        overlaps=[overlap],
        fingerprints={"target": "aa", "source": "bb"},
        image_roots={"target": Path("images")},
        load_records=lambda domain: records,
        load_model=make_model,
        load_candidates=lambda method, seed: CANDIDATES,
        load_source_scores=lambda method, seed: [],
    )


@pytest.fixture
def tables(inputs):
    return score_fold(inputs, torch.device("cpu"))


def rows_of(table, *columns):
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_scores_have_one_row_per_method_seed_and_test_domain_with_untrained_methods_first(tables):
    keys = [*((name, -1) for name in UNTRAINED), *TRAININGS]
    domains = [(*domain, digest) for domain, digest in zip(DOMAINS, ("aa", "bb"), strict=True)]
    assert rows_of(tables.scores, "method", "seed", "test_domain", "role", "fingerprint") == [
        (*key, *domain) for key in keys for domain in domains
    ]
    assert tables.scores["num_trials"].tolist() == [2, 1] * len(keys)
    assert rows_of(tables.trials, "method", "seed", "test_domain", "trial") == [
        (*key, *trial) for key in keys for trial in (("target", 0), ("target", 1), ("source", -1))
    ]


def test_a_score_is_that_of_the_model(inputs, tables):
    query, gallery = embed_test(make_model("bn", 1), inputs.tests[2])
    row = tables.scores.set_index(["method", "seed", "test_domain"]).loc[("bn", 1, "source")]
    assert row["mAP"] == retrieval_scores(query, gallery).mAP


def test_the_scores_that_a_training_has_written_are_those_of_its_sources(inputs, tables):
    written = score_tests(make_model("bn", 1), inputs.tests[2:]).assign(mINP=0.125).to_dict("records")
    unseen = {**written[0], "test_domain": "target", "trial": 0}  # the held-out domain is always scored here
    again = score_fold(
        dataclasses.replace(inputs, load_source_scores=lambda *key: [*written, unseen] if key == ("bn", 1) else []),
        torch.device("cpu"),
    )
    assert again.trials.columns.tolist() == tables.trials.columns.tolist()
    changed = tables.trials["mINP"] != again.trials["mINP"]
    assert rows_of(again.trials[changed], "method", "seed", "test_domain", "mINP") == [("bn", 1, "source", 0.125)]
    pd.testing.assert_frame_equal(again.trials.drop(columns="mINP"), tables.trials.drop(columns="mINP"))


def test_tests_without_overlap_are_scored_for_the_domains_that_have_one(tables):
    assert set(tables.without_overlap["test_domain"]) == {"target"}
    assert len(tables.without_overlap) == len(UNTRAINED) + len(TRAININGS)
    assert set(tables.without_overlap["num_ids"]) == {5}
    assert list(tables.without_overlap) == list(tables.scores)


def test_a_fold_without_overlap_has_an_empty_table_with_the_same_columns(inputs):
    tables = score_fold(dataclasses.replace(inputs, overlaps=[]), torch.device("cpu"))
    assert tables.without_overlap.empty
    assert list(tables.without_overlap) == list(tables.scores)


def test_queries_are_those_of_the_held_out_domain_with_the_mean_of_the_scores(tables):
    assert list(tables.queries) == ["fold", "method", "seed", "test_domain", "trial", "pid", "query", "AP"]
    assert set(tables.queries["test_domain"]) == {"target"}
    means = tables.queries.groupby(["method", "seed", "trial"])["AP"].mean()
    trials = tables.trials[(tables.trials["role"] == "unseen") & (tables.trials["seed"] >= 0)]
    expected = trials.set_index(["method", "seed", "trial"])["mAP"].sort_index()
    assert means.tolist() == pytest.approx(expected.tolist())


def test_pairs_of_cameras_and_of_images_are_those_of_the_held_out_domain_as_means_over_trials(inputs, tables):
    assert rows_of(tables.verification, *module.TEST_KEY) == [("target", *key, "target") for key in TRAININGS]
    assert list(tables.verification) == list(module.VERIFICATION_COLUMNS)
    assert list(tables.camera_pairs) == list(module.CAMERA_PAIR_COLUMNS)
    cameras = sorted(set(inputs.tests[0].query.camid.tolist()))
    pairs = {(a, b) for a in cameras for b in cameras if a != b}
    for key in TRAININGS:
        of_model = tables.camera_pairs[(tables.camera_pairs[["method", "seed"]] == list(key)).all(axis=1)]
        assert set(rows_of(of_model, "query_camid", "gallery_camid")) == pairs
        assert of_model["num_query"].tolist() == [6] * len(pairs)  # of one trial


def test_maps_are_those_of_the_mapped_trainings(inputs, tables):
    assert tables.embedding_map.empty
    mapped = [("bn", 1), ("metabin", 0)]
    table = score_fold(dataclasses.replace(inputs, mapped=mapped), CPU).embedding_map
    assert list(table) == list(tables.embedding_map)
    assert list(dict.fromkeys(rows_of(table, "fold", "method", "seed", "domain", "role"))) == [
        ("target", *training, *domain) for training in mapped for domain in DOMAINS
    ]


def test_a_domain_with_one_camera_has_no_scores_and_breaks_nothing(inputs):
    images = dataclasses.replace(inputs.tests[0].query, camid=np.zeros_like(inputs.tests[0].query.camid))
    tables = score_fold(dataclasses.replace(inputs, tests=[TestSet("target", True, images, images)]), CPU)
    assert list(tables.camera_pairs) == list(module.CAMERA_PAIR_COLUMNS)
    assert tables.camera_pairs.empty
    assert tables.verification[list(RATES)].isna().all(axis=None)


def test_every_candidate_has_a_row_and_the_last_one_has_the_score_of_the_model(inputs, tables):
    assert list(tables.selection) == list(module.SELECTION_COLUMNS) == list(selection.COLUMNS)
    assert rows_of(tables.selection, "method", "seed", "step", "test_domain") == [
        (*training, step, "target") for training in TRAININGS for step in CANDIDATES
    ]
    assert tables.selection["source_mAP"].tolist()[:2] == [0.25, 0.5]
    last = tables.selection[tables.selection["step"] == 30].set_index(["method", "seed"])["mAP"]
    scores = tables.scores[tables.scores["role"] == "unseen"].set_index(["method", "seed"])["mAP"]
    assert last.to_dict() == scores.loc[TRAININGS].to_dict()
    earlier = tables.selection.set_index(["method", "seed", "step"])["mAP"].loc[("bn", 0, 10)]
    query, gallery = embed_test(make_model("bn", 0, step=10), inputs.tests[0])
    assert earlier == pytest.approx(retrieval_scores(query, gallery).mAP)


def test_ranked_lists_show_the_same_queries_by_the_example_and_its_baseline_on_the_first_trial(tables):
    kinds = ("best", "typical", "worst", "gain", "loss")
    pairs = [(entry["kind"], entry["method"]) for entry in tables.ranked_lists]
    assert pairs == [(kind, method) for kind in kinds for method in ("metabin", "bn")]
    for entry, other in zip(tables.ranked_lists[::2], tables.ranked_lists[1::2], strict=True):
        key = {"fold": "target", "method": "metabin", "seed": 0, "test_domain": "target"}
        assert list(entry.items())[:4] == list(key.items())
        assert entry["query"]["path"].startswith("images/")
        assert entry["query"] == other["query"]


def test_progress_counts_the_models(inputs):
    counts = []
    score_fold(inputs, torch.device("cpu"), counts.append)
    assert counts == [1] * len(TRAININGS)
