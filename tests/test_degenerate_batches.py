"""Batches without variance, without negatives or with one image: every norm, loss and score has a finite value."""

import numpy as np
import pytest
import torch

from metabin.evaluation.metrics import cosine_blocks, cosine_distance, score
from metabin.losses.inputs import LossInputs
from metabin.model.embedder import build_embedder
from metabin.model.swapping import NORMS
from metabin.registry import EPISODE_LOSSES, LOSSES, find_loss
from metabin.types import Batch

RANDOM = torch.Generator().manual_seed(0)
IMAGES = {
    "constant images": torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 32, 16),
    "equal images": torch.randn(1, 3, 32, 16, generator=RANDOM).expand(4, 3, 32, 16),
    "one constant value": torch.full((4, 3, 32, 16), 2.5),
    "black images": torch.zeros(4, 3, 32, 16),
    "large values": torch.full((4, 3, 32, 16), 1e4),
    "one image": torch.randn(1, 3, 32, 16, generator=RANDOM),
}
FEATURES = {
    "equal": torch.ones(6, 4),
    "zero": torch.zeros(6, 4),
    "random": torch.randn(6, 4, generator=RANDOM),
    "one": torch.randn(1, 4, generator=RANDOM),
}
LABELS = {
    "one identity": ([0] * 6, [0] * 6),
    "one identity per domain": ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]),
    "one image per identity": ([0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1]),
    "one image per domain": ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("images", IMAGES)
def test_the_features_of_every_norm_and_their_gradients_are_finite(images, norm, training):
    backbone = "mobilenetv2_1.0" if norm == "dual" else "resnet_small"
    model = build_embedder(backbone, 3, norm=norm).train(training)
    features = model(IMAGES[images])
    features.square().sum().backward()
    assert features.isfinite().all()
    values = [*model.parameters(), *model.buffers()]
    assert all(value.isfinite().all() for value in values)
    assert all(value.grad.isfinite().all() for value in values if value.grad is not None)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("name", sorted({*LOSSES, *EPISODE_LOSSES}))
@pytest.mark.parametrize("num_classes", [1, 6])
def test_every_loss_and_its_gradient_are_finite(name, features, labels, num_classes):
    leaf = FEATURES[features].clone().requires_grad_()
    label, domain = (torch.tensor(values)[: len(leaf)] for values in LABELS[labels])
    if num_classes == 1:
        label = torch.zeros_like(label)
    batch = Batch(torch.zeros(len(leaf), 3, 1, 1), label, torch.zeros_like(label), domain)
    weight = torch.ones(num_classes, 4)
    inputs = LossInputs(leaf, batch, lambda values: values @ weight.T, margin=0.3, smoothing=0.1, views=(leaf, leaf))
    loss = find_loss(name)(inputs)
    loss.backward()
    assert loss.isfinite()
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("features", FEATURES)
def test_embeddings_of_any_variance_have_scores_in_the_unit_interval(features):
    embeddings = FEATURES[features].numpy()
    ids = np.zeros(len(embeddings), int)
    distance = cosine_distance(embeddings, embeddings)
    np.testing.assert_allclose(np.concatenate(list(cosine_blocks(embeddings, embeddings))), distance, atol=1e-6)
    scores = score(distance, ids, ids, ids, ids + 1)
    assert (scores.mAP, scores.mINP, scores.cmc[1]) == (1, 1, 1)  # one identity: every image is a match
    assert np.isnan(score(distance, ids, ids + 1, ids, ids).mAP)  # no match: not defined, and no error
