"""Scores of each pair of cameras are those of the two cameras' images alone."""

import numpy as np
import pytest

from metabin.evaluation import metrics
from metabin.evaluation.camera_pairs import camera_pair_scores
from metabin.evaluation.scoring import retrieval_scores
from metabin.types import Embeddings


def random_images(seed, count, cameras):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 8)).astype(np.float32)
    return Embeddings(features, random.integers(0, 12, count), random.choice(cameras, count))


def of_camera(images, camid):
    mask = images.camid == camid
    return Embeddings(images.features[mask], images.pid[mask], images.camid[mask])


def test_a_pair_has_the_scores_of_its_images_alone_also_over_blocks(monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK", 600)  # ten queries
    query = random_images(0, 55, [0, 1, 7])
    gallery = random_images(1, 60, [0, 1, 2])
    rows = camera_pair_scores(query, gallery)
    pairs = [(row["query_camid"], row["gallery_camid"]) for row in rows]
    assert pairs == [(0, 1), (0, 2), (1, 0), (1, 2), (7, 0), (7, 1), (7, 2)]
    for row, (first, second) in zip(rows, pairs, strict=True):
        scores = retrieval_scores(of_camera(query, first), of_camera(gallery, second))
        assert row["num_query"] == scores.num_query
        assert (row["mAP"], row["rank1"]) == pytest.approx((scores.mAP, scores.cmc[1]))


def test_one_camera_has_no_pair():
    images = random_images(0, 20, [3])
    assert camera_pair_scores(images, images) == []
