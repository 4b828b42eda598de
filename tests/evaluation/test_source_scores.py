"""Candidates are scored on the held-out identities of the sources, and chosen by that alone."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metabin.data import store
from metabin.engine.selection import select_on_sources
from metabin.evaluation import scoring
from metabin.model.embedder import build_embedder
from metabin.results import selection
from metabin.types import ImageRecord


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_embedder("resnet_small", 6).eval()


def select(model, tests):
    return select_on_sources([2, 4], lambda step: model, tests, torch.device("cpu"))


def test_the_score_on_the_sources_is_a_mean_over_domains_whatever_their_size(model, make_images):
    tests = []
    for name, num_ids, num_images in (("small", 3, 3), ("large", 9, 4)):
        images = make_images(num_domains=1, num_ids=num_ids, num_images=num_images)
        tests.append(scoring.TestSet(name, False, images, images))
    each = [scoring.retrieval_scores(*scoring.embed_test(model, test)).mAP for test in tests]
    assert each[0] != each[1]
    candidates, scores = select(model, tests)
    assert candidates["source_mAP"].tolist() == pytest.approx([sum(each) / 2] * 2)
    assert scores["test_domain"].tolist() == ["small", "large"]
    assert scores["mAP"].tolist() == pytest.approx(each)


def test_a_source_without_a_match_does_not_count_and_without_sources_there_is_no_score(model, make_images):
    several = make_images(num_domains=1, num_ids=4, num_images=3)
    single = make_images(num_domains=1, num_ids=4, num_images=1)  # each person once: no match
    tests = [scoring.TestSet(name, False, images, images) for name, images in (("a", several), ("b", single))]
    both, one = (select(model, part)[0]["source_mAP"].tolist() for part in (tests, tests[:1]))
    assert both == pytest.approx(one)
    candidates, scores = select(model, [])
    assert candidates["source_mAP"].isna().all()
    assert scores.empty
    assert list(scores) == list(scoring.SCORE_COLUMNS) == list(scoring.score_tests(model, tests))


def test_the_tests_of_the_sources_need_no_file_of_a_held_out_domain(tmp_path):
    pixels = np.zeros((4, 32, 16, 3), np.uint8)
    store.write_records(tmp_path / "a.csv", [ImageRecord(f"{i}.jpg", i // 2, i % 2, "a") for i in range(4)])
    np.save(tmp_path / "a.npy", pixels)
    rows = {"train": [[0, 2]], "query": [[2, 4]], "gallery": [[2, 4]]}
    manifest = {"sources": ["a"], "targets": ["t"], "domains": {name: {"rows": rows} for name in "at"}}
    manifest = json.loads(json.dumps(manifest))
    (test,) = scoring.load_source_tests(tmp_path, manifest)
    assert (test.domain, test.unseen, test.gallery.row.tolist()) == ("a", False, [2, 3])
    with pytest.raises(Exception, match="t.csv is missing"):
        scoring.load_tests(tmp_path, manifest)
    manifest["domains"]["a"]["rows"] |= {"query": [], "gallery": []}
    assert scoring.load_source_tests(tmp_path, manifest) == []


SCORE = st.integers(0, 10).map(lambda tenth: tenth / 10)  # few values: many ties
STEPS = st.lists(st.tuples(SCORE, SCORE, SCORE, SCORE, SCORE), min_size=1, max_size=5)


def table(steps, unseen):
    """One training; `unseen` are the columns of `steps` that are the scores on the test domains x and y."""
    return pd.DataFrame(
        [
            ("x", "bn", 0, 10 * (index + 1), name, values[column], 0.0, values[0])
            for index, values in enumerate(steps)
            for name, column in zip("xy", unseen, strict=True)
        ],
        columns=list(selection.COLUMNS),
    )


@settings(deadline=None)  # a busy machine is no failure
@given(STEPS)
def test_the_permitted_rules_do_not_change_with_the_scores_on_the_test(steps):
    first, second = (selection.by_rule(table(steps, unseen)) for unseen in ((1, 2), (3, 4)))
    for rule in (selection.LAST, selection.SOURCE):
        assert first[rule]["step"].tolist() == second[rule]["step"].tolist()


@settings(deadline=None)  # a busy machine is no failure
@given(STEPS)
def test_the_rules_equal_a_slow_oracle_with_the_later_of_equal_steps(steps):
    source = oracle = 0
    for index, (score, first, second, *_) in enumerate(steps):
        if score >= steps[source][0]:
            source = index
        if round((first + second) / 2, 6) >= round(sum(steps[oracle][1:3]) / 2, 6):
            oracle = index
    expected = {"last": 10 * len(steps), "source": 10 * (source + 1), "oracle": 10 * (oracle + 1)}
    by_rule = selection.by_rule(table(steps, (1, 2)))
    assert {rule: rows["step"].unique().tolist() for rule, rows in by_rule.items()} == {
        rule: [step] for rule, step in expected.items()
    }
    assert all(rows["test_domain"].tolist() == ["x", "y"] for rows in by_rule.values())
