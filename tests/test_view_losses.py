"""Alignment and uniformity of two views against slow versions, and what the base step passes to losses."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from metabin.engine.base_step import base_losses
from metabin.losses.alignment import alignment_loss, reliability
from metabin.losses.inputs import WeightedLosses
from metabin.losses.uniformity import uniformity_loss
from metabin.model.embedder import build_embedder
from metabin.types import Batch


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


USUAL, STRONG = draw(6, 4), draw(6, 4) + 0.4 * draw(6, 4, seed=1)
LABEL = torch.tensor([0, 0, 1, 1, 2, 2])


def slow_weights(usual, strong, k):
    both = F.normalize(torch.cat([usual, strong]))
    near = [set((-(both @ value)).argsort()[:k].tolist()) for value in both]
    reciprocal = [{j for j in near[i] if i in near[j]} for i in range(len(both))]
    count = len(usual)
    return [
        [
            len(reciprocal[count + i] & reciprocal[j]) / len(reciprocal[count + i] | reciprocal[j])
            for j in range(count)
        ]
        for i in range(count)
    ]  # fmt: skip


def test_reliability_is_the_jaccard_index_of_reciprocal_neighbours():
    weights = reliability(F.normalize(USUAL), F.normalize(STRONG), 4)
    expected = torch.tensor(slow_weights(USUAL, STRONG, 4), dtype=torch.float64)
    torch.testing.assert_close(weights, expected)
    assert 0 < (expected > 0).sum() < expected.numel()


def test_alignment_is_the_weighted_mean_of_squared_distances_of_positives():
    weights = slow_weights(USUAL, STRONG, 4)
    usual, strong = F.normalize(USUAL), F.normalize(STRONG)
    total = sum_of_weights = 0.0
    for i in range(6):
        for j in range(6):
            if LABEL[i] == LABEL[j]:
                total += weights[i][j] * (strong[i] - usual[j]).square().sum().item()
                sum_of_weights += weights[i][j]
    value = alignment_loss(USUAL, STRONG, LABEL, num_neighbours=4)
    assert value.item() == pytest.approx(total / sum_of_weights, abs=1e-12)


def test_an_image_far_from_its_person_counts_less():
    usual = torch.eye(3).double().repeat_interleave(2, dim=0) + 0.01 * draw(6, 3)
    strong = usual.clone()
    strong[0] = usual[4]  # now among the images of another person
    assert alignment_loss(usual, strong, LABEL, num_neighbours=4).item() < 0.05
    # with all images as neighbours every weight is 1, and the mean over 12 pairs has two distances of 2
    assert alignment_loss(usual, strong, LABEL, num_neighbours=12).item() == pytest.approx(4 / 12, abs=0.03)


def test_without_any_common_neighbour_alignment_is_zero():
    usual = torch.eye(4).double()
    label = torch.tensor([0, 1, 2, 3])
    assert alignment_loss(usual, -usual, label, num_neighbours=1).item() == 0


def test_uniformity_is_the_logarithm_of_the_mean_potential_of_pairs():
    f = F.normalize(USUAL)
    pairs = [math.exp(-2 * (f[i] - f[j]).square().sum().item()) for i in range(6) for j in range(i)]
    assert uniformity_loss(USUAL).item() == pytest.approx(math.log(sum(pairs) / len(pairs)), abs=1e-12)
    assert uniformity_loss(torch.ones(3, 2).double()).item() == pytest.approx(0)
    assert uniformity_loss(torch.tensor([[1.0, 0], [-1, 0]]).double()).item() == pytest.approx(-8)


def test_both_losses_can_be_differentiated():
    def both(usual, strong):
        return alignment_loss(usual, strong, LABEL, num_neighbours=4) + uniformity_loss(strong)

    assert torch.autograd.gradcheck(both, (USUAL.clone().requires_grad_(), STRONG.clone().requires_grad_()))


@pytest.fixture
def views():
    """A model, a batch of two views, and the embeddings of both from the statistics of all images."""
    torch.manual_seed(0)
    model = build_embedder("resnet_small", 3, norm="bin", rho=0.5).double()
    images = draw(12, 3, 32, 16)
    with torch.no_grad():
        features = model(images)
    model.neck.reset_running_stats()
    embeddings = F.batch_norm(features, None, None, model.neck.weight, model.neck.bias, training=True)
    batch = Batch(images, LABEL, torch.zeros(6), torch.zeros(6), num_views=2)
    return SimpleNamespace(model=model, batch=batch, features=features, embeddings=embeddings)


def test_the_base_step_shows_view_losses_both_views_and_all_others_the_first(views):
    weights = {"ce": 1.0, "triplet": 1.0, "alignment": 1.5, "uniformity": 1.0}
    values = base_losses(views.model, views.batch, WeightedLosses(weights, smoothing=0.0))
    usual, strong = views.embeddings.chunk(2)
    expected = {
        "ce": F.cross_entropy(views.model.classifier(usual), LABEL),
        "alignment": alignment_loss(usual, strong, LABEL, num_neighbours=10),
        "uniformity": (uniformity_loss(usual) + uniformity_loss(strong)) / 2,
    }
    for name, value in expected.items():
        assert values[name].item() == pytest.approx(value.item(), abs=1e-9), name
    alone = WeightedLosses({"triplet": 1.0}).compute(views.features[:6], views.batch, None)
    assert values["triplet"].item() == pytest.approx(alone["triplet"].item(), abs=1e-9)


def test_the_statistics_of_the_neck_move_once_and_by_both_views(views):
    base_losses(views.model, views.batch, WeightedLosses({"ce": 1.0, "alignment": 1.0}))
    assert views.model.neck.num_batches_tracked == 1
    torch.testing.assert_close(views.model.neck.running_mean, 0.1 * views.features.mean(dim=0))


def test_the_number_of_neighbours_is_an_option(views):
    def alignment(options):
        losses = WeightedLosses.of({"alignment": {"weight": 1.0, **options}}, margin=0.3, smoothing=0.1)
        return base_losses(views.model, views.batch, losses)["alignment"].item()

    assert alignment({}) == alignment({"num_neighbours": 10}) != alignment({"num_neighbours": 3})
