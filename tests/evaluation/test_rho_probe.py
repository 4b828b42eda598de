"""Forcing and shifting rho changes the scores and leaves the network as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metabin.backbones import BACKBONES, build_backbone
from metabin.evaluation import rho_probe
from metabin.evaluation.scoring import TestSet, embed_test, retrieval_scores, score_row
from metabin.model.embedder import build_embedder
from metabin.model.norm import rho_of
from metabin.model.swapping import swap_norms
from metabin.rho_summary import MAX_GROUPS, layer_groups


@pytest.fixture
def model():
    torch.manual_seed(0)
    embedder = build_embedder("resnet_small", 5, norm="bin", rho=0.4)
    with torch.no_grad():
        for name, value in embedder.state_dict().items():
            if name.endswith(("rho", "running_var")):
                value.uniform_(0.1, 0.9)
            elif name.endswith(("running_mean", "in_bias", "bn_bias")):
                value.normal_(0, 0.1)
    return embedder.eval()


@pytest.fixture
def tests_of(make_images):
    images = make_images(num_domains=1, num_ids=6, num_images=4)
    images.camid[:] = np.arange(len(images)) % 4
    return [TestSet("x", True, images, images)]


def features(model, test):
    return embed_test(model, test)[0].features


def test_forcing_every_rho_to_one_is_the_network_with_batch_norm(model, tests_of):
    changes = rho_probe.forced_rho(model)
    (all_one,) = [change for change in changes if (change.group, change.value) == ("all", 1.0)]
    plain = build_embedder("resnet_small", 5, norm="bn").eval()
    state = {
        name.replace("bn_weight", "weight").replace("bn_bias", "bias"): value
        for name, value in model.state_dict().items()
        if not name.endswith((".rho", ".in_weight", ".in_bias"))
    }
    missing, unexpected = plain.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    with rho_probe.replace_rho(model, all_one.rho):
        embedded = features(model, tests_of[0])
    np.testing.assert_allclose(embedded, features(plain, tests_of[0]), atol=1e-4, rtol=1e-3)


def test_the_shift_zero_has_the_plain_score_and_every_change_and_test_has_a_row(model, tests_of):
    changes = rho_probe.shifted_rho(model) + rho_probe.forced_rho(model)
    rows = list(rho_probe.score_changes(model, changes, tests_of))
    assert len(rows) == len(changes) * len(tests_of)
    (zero,) = [row for row in rows if row["kind"] == "shift" and row["value"] == 0]
    plain = score_row(retrieval_scores(*embed_test(model, tests_of[0])), tests_of[0])
    assert {name: zero[name] for name in plain} == plain
    assert len({row["mAP"] for row in rows}) > 3  # rho matters


def test_the_network_has_the_same_bits_afterwards_even_when_scoring_fails(model, tests_of):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    list(rho_probe.score_changes(model, rho_probe.forced_rho(model), tests_of))
    change = rho_probe.shifted_rho(model)[0]
    with pytest.raises(RuntimeError, match="scoring failed"), rho_probe.replace_rho(model, change.rho):
        raise RuntimeError("scoring failed")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_shift_is_clipped_and_moves_the_mean(model):
    down, *_, up = rho_probe.shifted_rho(model)
    for change in (down, up):
        for rho in change.rho.values():
            assert rho.min() >= 0
            assert rho.max() <= 1
    assert down.mean_rho < up.mean_rho


@pytest.mark.parametrize("backbone", BACKBONES)
def test_groups_cover_every_rho_once_in_network_order(backbone):
    network = swap_norms(build_backbone(backbone)[0], "bin", rho=1.0)
    names = list(rho_of(network))
    groups = layer_groups(names)
    assert [name for members in groups.values() for name in members] == names
    assert 3 <= len(groups) <= MAX_GROUPS


def test_a_reduced_test_has_the_first_people_alone_with_all_their_images(tests_of):
    reduced = rho_probe.reduce_test(tests_of[0], max_ids=2)
    expected = np.unique(tests_of[0].query.pid)[:2]
    assert set(reduced.query.pid) == set(reduced.gallery.pid) == set(expected)
    assert len(reduced.query) == np.isin(tests_of[0].query.pid, expected).sum()


def test_the_people_of_a_reduced_test_are_the_first_whose_queries_can_be_scored(tests_of):
    (test,) = tests_of
    first = np.unique(test.query.pid)[:2]
    camid = np.where(np.isin(test.query.pid, first), 0, test.query.camid)  # the first two under one camera only
    images = replace(test.query, camid=camid)
    reduced = rho_probe.reduce_test(replace(test, query=images, gallery=images), max_ids=2)
    assert np.unique(reduced.query.pid).tolist() == np.unique(test.query.pid)[2:4].tolist()
    assert set(reduced.gallery.pid) == set(reduced.query.pid)


def test_a_test_in_which_nobody_can_be_scored_has_rows_without_scores(model, tests_of):
    (test,) = tests_of
    images = replace(test.query, camid=np.zeros_like(test.query.camid))
    reduced = rho_probe.reduce_test(replace(test, query=images, gallery=images))
    rows = list(rho_probe.score_changes(model, rho_probe.shifted_rho(model), [reduced]))
    assert [(row["num_ids"], row["num_query"]) for row in rows] == [(0, 0)] * len(rho_probe.SHIFTS)
    assert np.isnan([row["mAP"] for row in rows]).all()
