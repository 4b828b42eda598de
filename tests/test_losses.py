import math

import oracles
import pytest
import torch

from metabin.episodes.losses.scatter import scatter_loss
from metabin.episodes.losses.shuffle import shuffle_loss
from metabin.losses.cross_entropy import cross_entropy_loss
from metabin.losses.distance import euclidean_distance
from metabin.losses.triplet import triplet_loss


@pytest.fixture
def embeddings():
    return torch.randn(24, 8, generator=torch.Generator().manual_seed(0)).double().requires_grad_()


DOMAIN = torch.arange(3).repeat_interleave(8)
LABEL = torch.arange(6).repeat_interleave(4)
CAMERA_LABEL = torch.arange(4).repeat_interleave(2).repeat(3)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("scatter", lambda f: scatter_loss(f, DOMAIN)),
        ("shuffle", lambda f: shuffle_loss(f, LABEL, DOMAIN)),
        ("triplet_m0.3", lambda f: triplet_loss(f, LABEL, margin=0.3)),
    ],
)
def test_value_and_gradient_of_every_meta_loss_equal_the_reference(name, loss, embeddings, reference):
    value = loss(embeddings)
    value.backward()
    expected = reference["losses"][name]
    assert value.item() == pytest.approx(expected["value"], abs=1e-6)
    torch.testing.assert_close(
        embeddings.grad.flatten(), torch.tensor(expected["grad"], dtype=torch.float64), atol=1e-6, rtol=1e-6
    )


def test_unbalanced_domains_count_equally_in_scatter(embeddings, reference):
    domain = torch.tensor([0] * 4 + [1] * 8 + [2] * 12)
    expected = reference["losses"]["scatter_unbalanced_4_8_12"]["value"]
    assert scatter_loss(embeddings, domain).item() == pytest.approx(expected, abs=1e-6)


def test_cameras_as_domains_equal_the_reference(embeddings, reference):
    expected = reference["losses"]["camera_domains"]
    assert shuffle_loss(embeddings, CAMERA_LABEL, DOMAIN).item() == pytest.approx(expected["shuffle"], abs=1e-6)
    assert triplet_loss(embeddings, CAMERA_LABEL, margin=0.3).item() == pytest.approx(
        expected["triplet_m0.3"], abs=1e-6
    )


@pytest.mark.parametrize(("smoothing", "key"), [(0.1, "eps0.1"), (0.0, "eps0")])
def test_label_smoothing_spares_the_true_class_as_in_the_reference(smoothing, key, reference):
    logits = (2 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0))).double().requires_grad_()
    value = cross_entropy_loss(logits, torch.tensor([0, 1, 2, 3, 4, 0]), smoothing=smoothing)
    value.backward()
    expected = reference["cross_entropy"][key]
    assert value.item() == pytest.approx(expected["value"], abs=1e-6)
    torch.testing.assert_close(
        logits.grad.flatten(), torch.tensor(expected["grad"], dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_triplet_of_four_points_on_a_line_by_hand():
    # two identities at 0, 1 and 3, 7: farthest positives 1, 1, 4, 4; nearest negatives 3, 2, 2, 6
    features, label = torch.tensor([[0.0], [1], [3], [7]]), torch.tensor([0, 0, 1, 1])
    expected = (max(0, 1 - 3 + 0.3) + max(0, 1 - 2 + 0.3) + (4 - 2 + 0.3) + max(0, 4 - 6 + 0.3)) / 4
    assert triplet_loss(features, label, margin=0.3).item() == pytest.approx(expected, abs=1e-5)


def test_shuffle_of_four_points_on_a_line_by_hand():
    # domains {0, 1} and {3, 7}, all of different identity: farthest others 7, 6, 3, 7; nearest own 1, 1, 4, 4
    features, domain = torch.tensor([[0.0], [1], [3], [7]]), torch.tensor([0, 0, 1, 1])
    expected = sum(math.log1p(math.exp(gap)) for gap in (7 - 1, 6 - 1, 3 - 4, 7 - 4)) / 4
    assert shuffle_loss(features, torch.arange(4), domain).item() == pytest.approx(expected, abs=1e-5)


def test_scatter_of_two_right_angles_by_hand():
    # in each domain two unit vectors at 90 degrees: both are at 45 degrees from their centroid
    features = torch.tensor([[1.0, 0], [0, 2], [3, 0], [0, -4]])
    assert scatter_loss(features, torch.tensor([5, 5, 9, 9])).item() == pytest.approx(math.sqrt(0.5), abs=1e-6)


def test_losses_equal_slow_loops_on_random_batches():
    random = torch.Generator().manual_seed(3)
    for _ in range(20):
        features = torch.randn(12, 3, generator=random, dtype=torch.float64)
        label = torch.randint(0, 5, (12,), generator=random)
        domain = torch.randint(0, 3, (12,), generator=random)
        rows, labels, domains = features.tolist(), label.tolist(), domain.tolist()
        assert triplet_loss(features, label, margin=0.3).item() == pytest.approx(oracles.triplet(rows, labels, 0.3))
        assert shuffle_loss(features, label, domain).item() == pytest.approx(oracles.shuffle(rows, labels, domains))
        assert scatter_loss(features, domain).item() == pytest.approx(oracles.scatter(rows, domains))


def test_losses_do_not_depend_on_the_order_of_the_batch(embeddings):
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    for loss in (lambda f, y, d: triplet_loss(f, y, margin=0.3), shuffle_loss, lambda f, y, d: scatter_loss(f, d)):
        assert loss(embeddings[order], LABEL[order], DOMAIN[order]).item() == pytest.approx(
            loss(embeddings, LABEL, DOMAIN).item(), abs=1e-12
        )


def test_anchors_without_a_negative_contribute_nothing_and_no_gradient_is_nan():
    features = torch.randn(4, 3, requires_grad=True)
    one_id, one_domain = torch.zeros(4, dtype=torch.int64), torch.zeros(4, dtype=torch.int64)
    total = triplet_loss(features, one_id, margin=0.3) + shuffle_loss(features, one_id, one_domain)
    total.backward()
    assert total.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_a_zero_feature_leaves_scatter_and_its_gradient_finite():
    features = torch.tensor([[0.0, 0], [1, 1], [1, 2]], requires_grad=True)
    loss = scatter_loss(features, torch.zeros(3, dtype=torch.int64))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(features.grad).all()


def test_distance_to_itself_is_the_floor(embeddings, reference):
    actual = euclidean_distance(embeddings)
    assert actual.diagonal().max().item() == pytest.approx(1e-6, abs=1e-7)
    torch.testing.assert_close(
        actual[0].detach(),
        torch.tensor(reference["losses"]["euclidean_dist_row0"], dtype=torch.float64),
        atol=1e-6,
        rtol=1e-6,
    )


def test_a_sample_is_near_itself_in_float32_and_not_in_the_half_precision_that_the_reference_uses(reference):
    expected = reference["amp_distance_hazard"]
    features = torch.rand(16, 2048, generator=torch.Generator().manual_seed(0)).half()
    in_float32 = euclidean_distance(features.float()).diagonal().max().item()
    assert in_float32 <= 2 * expected["diag_fp32_max"]
    squared_norm = features.float().square().sum(dim=1)
    half_product = (features @ features.T).float().diagonal()
    in_half = (2 * squared_norm - 2 * half_product).clamp_min(1e-12).sqrt().max().item()
    assert in_half == pytest.approx(expected["diag_fp16_max"], rel=0.2)
