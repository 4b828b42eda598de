"""The map of embeddings: which images are on it, and that it is the same every time."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from metabin.evaluation import embedding_map as module
from metabin.evaluation.embedding_map import embedding_map, project, sample_images
from metabin.evaluation.overlap import select_images
from metabin.evaluation.scoring import TestSet
from metabin.model.embedder import build_embedder


@pytest.fixture
def images(make_images):
    return make_images(num_domains=1, num_ids=6, num_images=12)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_embedder("resnet_small", 6).eval()


def test_a_map_has_the_unseen_domain_first_and_is_the_same_again(images, model):
    tests = [
        TestSet("target", True, images, images, 0),
        TestSet("target", True, images, images, 1),
        TestSet("source", False, images, images),
    ]
    table = embedding_map(model, tests)
    assert tuple(table.columns) == module.COLUMNS
    assert table.groupby(["domain", "role"], sort=False).size().to_dict() == {
        ("target", "unseen"): 6 * module.IMAGES_PER_PERSON,
        ("source", "seen"): module.NUM_IMAGES["seen"],
    }
    assert np.isfinite(table[["x", "y"]].to_numpy()).all()
    pd.testing.assert_frame_equal(table, embedding_map(model, tests))


def test_a_sample_has_each_image_once_and_no_person_without_a_query(images):
    query = select_images(images, np.isin(images.pid, images.pid[:30]))
    test = TestSet("target", True, query, images)
    sample = sample_images(test)
    assert set(sample.pid) == set(query.pid)
    assert len(set(sample.row)) == len(sample.row)
    assert max(np.unique(sample.pid, return_counts=True)[1]) == module.IMAGES_PER_PERSON


def test_images_of_one_person_are_neighbours_on_the_map():
    random = np.random.default_rng(0)
    pid = np.repeat(np.arange(10), 6)
    places = project((random.normal(size=(10, 32))[pid] + random.normal(0, 0.1, (60, 32))).astype(np.float32))
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    nearest = distance.argsort(axis=1)[:, 1]
    assert (pid[nearest] == pid).mean() > 0.9


def test_too_few_images_or_equal_embeddings_give_no_map(images, model, monkeypatch):
    few = select_images(images, np.arange(len(images)) < 4)
    assert embedding_map(model, [TestSet("target", True, few, few)]).columns.tolist() == list(module.COLUMNS)
    assert embedding_map(model, [TestSet("target", True, few, few)]).empty
    equal = dataclasses.replace(images, row=np.zeros_like(images.row))
    test = TestSet("target", True, equal, equal)
    monkeypatch.setattr(module, "sample_images", lambda test: test.gallery)
    assert embedding_map(model, [test]).empty
