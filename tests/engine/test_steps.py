import copy

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from metabin.engine.base_step import base_step
from metabin.episodes import functional
from metabin.episodes.functional import (
    batch_statistics,
    classify_with,
    episode_losses,
    forward_with,
    frozen_tensors,
    inner_update,
)
from metabin.episodes.losses.scatter import scatter_loss
from metabin.episodes.losses.shuffle import shuffle_loss
from metabin.episodes.meta_step import EpisodeSettings, meta_step
from metabin.episodes.target_step import target_step
from metabin.losses.inputs import WeightedLosses
from metabin.losses.triplet import triplet_loss
from metabin.model.embedder import build_embedder
from metabin.model.norm import BatchInstanceNorm2d, rho_of
from metabin.types import Batch


class Toy(nn.Module):
    """The reference recipe's net: convolution, norm, ReLU, spatial mean."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = BatchInstanceNorm2d(4, rho=0.5)

    def forward(self, images):
        return self.norm(self.conv(images)).relu().mean(dim=(2, 3))


@pytest.fixture
def toy():
    model = Toy().double()
    with torch.no_grad():
        model.conv.weight.copy_(0.3 * torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)))
        model.norm.in_weight.copy_(torch.tensor([0.8, 1.1, 0.9, 1.2]))
        model.norm.in_bias.copy_(torch.tensor([0.1, -0.1, 0.2, 0]))
    return model


@pytest.fixture
def episode():
    """(meta-train, meta-test) of the reference's recipe: 3 domains of 4 images and 2 domains of 4."""
    domain, pid = torch.arange(5).repeat_interleave(4), torch.arange(10).repeat_interleave(2)
    scale = domain.double().view(-1, 1, 1, 1)
    images = (
        torch.randn(20, 3, 6, 4, generator=torch.Generator().manual_seed(1)).double() * (1 + 0.5 * scale) + 0.3 * scale
    )
    train = domain < 3
    return tuple(Batch(images[part], pid[part], torch.zeros(int(part.sum())), domain[part]) for part in (train, ~train))


@pytest.mark.parametrize("second_order", [False, True])
def test_one_meta_step_equals_the_reference(second_order, toy, episode, reference):
    expected = reference["toy_meta_step"]["second_order" if second_order else "first_order(default)"]
    scalars = meta_step(toy, *episode, SGD([toy.norm.rho], lr=0.1), 0.01, EpisodeSettings(second_order=second_order))
    for name, key in (
        ("meta_train/scatter", "scatter"),
        ("meta_train/shuffle", "shuffle"),
        ("meta_train/triplet", "triplet_mtrain"),
        ("meta_test/triplet", "triplet_mtest_at_rho_prime"),
    ):
        assert scalars[name].item() == pytest.approx(expected[key], abs=1e-6)
    torch.testing.assert_close(toy.norm.rho.detach(), torch.tensor(expected["rho_after"]).double(), atol=1e-6, rtol=0)


def test_the_inner_update_equals_the_reference(toy, episode, reference):
    rho = {"norm.rho": toy.norm.rho}
    train, _ = episode
    features = forward_with(toy, rho, train.images)
    loss = (
        scatter_loss(features, train.domain)
        + shuffle_loss(features, train.label, train.domain)
        + triplet_loss(features, train.label, margin=0.3)
    )
    rho_prime = inner_update(rho, loss, 0.01)["norm.rho"]
    expected = reference["toy_meta_step"]["first_order(default)"]["rho_prime"]
    torch.testing.assert_close(rho_prime.detach(), torch.tensor(expected).double(), atol=1e-6, rtol=0)


def test_the_inner_clip_is_straight_through(reference):
    rho = {"rho": torch.tensor([0.25, 0.5, 0.9, 0.1], dtype=torch.float64, requires_grad=True)}
    loss = (rho["rho"] * torch.tensor([-1.0, 2, -3, 4])).sum()
    moved = inner_update(rho, loss, 0.1)["rho"]
    assert moved.tolist() == pytest.approx([0.35, 0.3, 1.0, 0.0])
    assert moved.max().item() <= 1
    (gradient,) = torch.autograd.grad(moved.sum(), [rho["rho"]])
    assert gradient.tolist() == [1, 1, 1, 1]  # also where the value was clipped


def test_an_inner_update_of_first_order_keeps_no_graph_unless_it_is_asked_to():
    rho = {"rho": torch.tensor([0.25, 0.5], requires_grad=True)}
    for keep_graph in (True, False):
        loss = (rho["rho"] ** 3).sum()
        (moved,) = inner_update(rho, loss, 0.1, **({"keep_graph": True} if keep_graph else {})).values()
        (gradient,) = torch.autograd.grad(moved.sum(), [rho["rho"]])
        assert gradient.tolist() == [1, 1]  # second order would give 1 - 0.6 rho
        if keep_graph:
            torch.autograd.grad(loss, [rho["rho"]])
            continue
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            torch.autograd.grad(loss, [rho["rho"]])


def test_a_combined_outer_loss_is_the_sum_of_both(toy, episode):
    losses = WeightedLosses({"triplet": 1.0}, margin=0.3)
    rho = toy.norm.rho.detach().clone().requires_grad_()
    values = [triplet_loss(forward_with(toy, {"norm.rho": rho}, b.images), b.label, margin=0.3) for b in episode]
    (gradient,) = torch.autograd.grad(sum(values), [rho])
    meta_step(toy, *episode, SGD([toy.norm.rho], lr=0.1), 0.0, EpisodeSettings(losses, losses, combined=True))
    torch.testing.assert_close(toy.norm.rho.detach(), (rho - 0.1 * gradient).clamp(0, 1).detach())


def outer_loss(toy, episode, rho_value, step_size):
    """The meta-test loss as a function of rho, for differences."""
    train, test = episode
    rho = {"norm.rho": rho_value.clone().requires_grad_()}
    features = forward_with(toy, rho, train.images)
    inner = (
        scatter_loss(features, train.domain)
        + shuffle_loss(features, train.label, train.domain)
        + triplet_loss(features, train.label, margin=0.3)
    )
    return triplet_loss(forward_with(toy, inner_update(rho, inner, step_size), test.images), test.label, margin=0.3)


def test_the_second_order_gradient_agrees_with_central_differences(toy, episode):
    start, lr, step_size, width = toy.norm.rho.detach().clone(), 1e-3, 0.5, 1e-5
    meta_step(toy, *episode, SGD([toy.norm.rho], lr=lr), step_size, EpisodeSettings(second_order=True))
    actual = (start - toy.norm.rho.detach()) / lr
    for channel in range(4):
        offset = torch.zeros(4, dtype=torch.float64)
        offset[channel] = width
        up, down = (outer_loss(toy, episode, start + sign * offset, step_size).item() for sign in (1, -1))
        assert actual[channel].item() == pytest.approx((up - down) / (2 * width), rel=1e-6, abs=1e-8)


def test_first_and_second_order_differ_when_the_inner_step_is_large(toy, episode):
    moved = []
    for second_order in (False, True):
        model = copy.deepcopy(toy)
        meta_step(model, *episode, SGD([model.norm.rho], lr=0.1), 0.5, EpisodeSettings(second_order=second_order))
        moved.append(model.norm.rho.detach())
    assert (moved[0] - moved[1]).abs().max() > 1e-4


def small_batch(num_domains=2):
    size = 8 * num_domains
    generator = torch.Generator().manual_seed(5)
    return Batch(
        torch.randn(size, 3, 32, 16, generator=generator),
        torch.arange(size) // 2,
        torch.zeros(size),
        torch.arange(size) // 8,
    )


def snapshot(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture
def embedder():
    torch.manual_seed(0)
    model = build_embedder("resnet_small", num_classes=8, norm="bin", rho=0.6)
    for parameter in rho_of(model).values():
        parameter.requires_grad_(False)
    return model


def test_base_step_changes_everything_but_rho(embedder):
    before = snapshot(embedder)
    base_step(embedder, small_batch(), Adam([p for p in embedder.parameters() if p.requires_grad], lr=0.01))
    for name, value in embedder.state_dict().items():
        if name.endswith(".rho") or name == "neck.bias":
            assert torch.equal(value, before[name]), name
        else:
            assert not torch.equal(value, before[name]), name


def test_meta_step_changes_only_rho(embedder):
    before = snapshot(embedder)
    meta_step(embedder, small_batch(), small_batch(1), SGD(list(rho_of(embedder).values()), lr=1.0), 0.1)
    for name, value in embedder.state_dict().items():
        assert torch.equal(value, before[name]) != name.endswith(".rho"), name


def test_in_a_meta_step_no_weight_is_differentiated_and_no_logit_computed(embedder, monkeypatch):
    asked, classified, convolve = [], [], nn.Conv2d.forward

    def spy(layer, x):
        asked.append(layer.weight.requires_grad)
        return convolve(layer, x)

    monkeypatch.setattr(nn.Conv2d, "forward", spy)
    monkeypatch.setattr(nn.Linear, "forward", lambda layer, x: classified.append(1))
    meta_step(embedder, small_batch(), small_batch(1), SGD(list(rho_of(embedder).values()), lr=1.0), 0.1)
    assert len(asked) == 2 * sum(isinstance(module, nn.Conv2d) for module in embedder.modules())
    assert not any(asked)
    assert not classified
    assert all(parameter.grad is None for parameter in embedder.parameters())
    assert embedder.backbone.get_submodule("conv").weight.requires_grad


def test_joint_training_moves_rho_with_the_base_loss_and_keeps_it_in_the_unit_interval(embedder):
    rho = list(rho_of(embedder).values())
    for parameter in rho:
        parameter.requires_grad_(True)
    before = snapshot(embedder)
    weights = [p for name, p in embedder.named_parameters() if not name.endswith(".rho") and p.requires_grad]
    base_step(embedder, small_batch(), [Adam(weights, lr=0.01), SGD(rho, lr=1e4)])
    for name, value in rho_of(embedder).items():
        assert not torch.equal(value, before[name])
        assert value.min() >= 0
        assert value.max() <= 1
    assert any((value == 1).any() or (value == 0).any() for value in rho_of(embedder).values())


def test_meta_weights_of_zero_leave_a_loss_out(toy, episode):
    def moved(weights):
        model = copy.deepcopy(toy)
        meta_step(model, *episode, SGD([model.norm.rho], lr=0.1), 0.5, EpisodeSettings(WeightedLosses(weights)))
        return model.norm.rho.detach()

    assert torch.equal(moved({"scatter": 1, "shuffle": 0, "triplet": 0, "ce": 0}), moved({"scatter": 1}))
    assert not torch.equal(moved({"scatter": 1}), moved({"shuffle": 1}))
    assert not torch.equal(moved({"scatter": 1}), moved({"scatter": 0.5}))


def test_rho_is_found_by_name_whatever_the_order_of_registration():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = BatchInstanceNorm2d(2, rho=0.2), BatchInstanceNorm2d(2, rho=0.8)

        def forward(self, images):
            return self.last(self.first(images)).mean(dim=(2, 3))

    model, images = Backwards(), torch.randn(4, 2, 3, 3)
    assert list(rho_of(model)) == ["last.rho", "first.rho"]
    rho = {"first.rho": torch.zeros(2), "last.rho": torch.ones(2)}
    batch_norm, instance_norm = nn.BatchNorm2d(2), nn.InstanceNorm2d(2)
    torch.testing.assert_close(forward_with(model, rho, images), batch_norm(instance_norm(images)).mean(dim=(2, 3)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_meta_step_on_cuda_agrees_with_the_cpu(toy, episode):
    model = copy.deepcopy(toy).cuda()
    on_device = tuple(
        Batch(*(getattr(batch, name).cuda() for name in ("images", "label", "camid", "domain"))) for batch in episode
    )
    meta_step(toy, *episode, SGD([toy.norm.rho], lr=0.1), 0.01)
    meta_step(model, *on_device, SGD([model.norm.rho], lr=0.1), 0.01)
    torch.testing.assert_close(model.norm.rho.detach().cpu(), toy.norm.rho.detach(), atol=1e-9, rtol=0)


def test_batch_statistics_are_those_of_the_batch_that_moved_the_running_ones(embedder):
    images = small_batch().images
    with torch.no_grad():  # so that running statistics are not the start's zeros and ones
        for module in embedder.modules():
            if hasattr(module, "running_mean"):
                module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
    moved = frozen_tensors(embedder)
    seen = []
    hook = embedder.backbone.get_submodule("conv").register_forward_hook(lambda *call: seen.append(call[-1]))
    forward_with(embedder, moved, images)
    hook.remove()
    actual, norm = batch_statistics(embedder, moved), next(iter(rho_of(embedder))).removesuffix(".rho")
    torch.testing.assert_close(actual[f"{norm}.running_mean"], seen[0].mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(actual[f"{norm}.running_var"], seen[0].var(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert {name for name in actual if name.startswith("backbone")} == {
        name for name, _ in embedder.named_buffers() if name.startswith("backbone") and "running" in name
    }


def test_logits_with_other_tensors_are_those_of_a_network_that_has_them(embedder):
    embedder.eval()
    other = copy.deepcopy(embedder)
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 2)
    features = torch.randn(5, other.classifier.in_features, generator=torch.Generator().manual_seed(0))
    expected = other.classifier(other.neck(features))
    tensors = frozen_tensors(other)
    torch.testing.assert_close(classify_with(embedder, tensors, features), expected.detach())
    assert not torch.allclose(embedder.classifier(embedder.neck(features)), expected)


def test_the_losses_of_an_episode_get_the_logits_of_the_tensors(embedder):
    batch = small_batch()
    other = copy.deepcopy(embedder)
    with torch.no_grad():
        other.classifier.weight.normal_()
    tensors = frozen_tensors(other)
    expected = nn.functional.cross_entropy(other.classifier(other.neck(other(batch.images))), batch.label)
    values = episode_losses(embedder, tensors, batch, WeightedLosses({"ce": 1.0}, smoothing=0.0))
    torch.testing.assert_close(values["ce"], expected.detach())


def test_ranks_share_the_learned_tensors_of_the_backbone_alone(monkeypatch):
    monkeypatch.setattr(functional, "spread_all", lambda tensors: {name: -value for name, value in tensors.items()})
    names = ["backbone.norm.rho", "backbone.neck.weight", "neck.weight", "classifier.weight", "classifier.a.weight"]
    learned = {name: torch.ones(1, requires_grad=True) for name in names}
    tensors = learned | {"backbone.conv.weight": torch.ones(1)}
    shared = functional.spread_learned(tensors)
    assert list(shared) == list(tensors)
    assert [name for name, value in shared.items() if value.item() < 0] == ["backbone.norm.rho", "backbone.neck.weight"]


def outer_rho(embedder, meta_train, meta_test, **options):
    """rho after one meta step without an inner step; the model itself does not change."""
    model = copy.deepcopy(embedder)
    meta_step(model, meta_train, meta_test, SGD(list(rho_of(model).values()), lr=0.1), 0.0, EpisodeSettings(**options))
    for name, value in model.state_dict().items():
        assert name.endswith(".rho") or torch.equal(value, embedder.state_dict()[name]), name
    assert model.training
    return torch.cat([rho.detach() for rho in rho_of(model).values()])


def test_with_statistics_of_meta_train_the_outer_gradient_is_that_of_a_network_trained_on_it(embedder):
    meta_train, meta_test = small_batch(), small_batch(1)
    actual = outer_rho(embedder, meta_train, meta_test, statistics="meta_train")
    there = copy.deepcopy(embedder)
    for module in there.modules():
        if hasattr(module, "running_mean"):
            module.momentum = 1.0
    with torch.no_grad():
        there(meta_train.images)  # its running statistics are now those of meta-train
    names = rho_of(there)
    for parameter in names.values():
        parameter.requires_grad_(True)
    gradients = torch.autograd.grad(
        triplet_loss(there.eval()(meta_test.images), meta_test.label, margin=0.3), list(names.values())
    )
    expected = [(rho - 0.1 * grad).clamp(0, 1).detach() for rho, grad in zip(names.values(), gradients, strict=True)]
    torch.testing.assert_close(actual, torch.cat(expected), rtol=1e-4, atol=1e-6)
    assert (actual - outer_rho(embedder, meta_train, meta_test)).abs().max() > 1e-5


def test_with_running_statistics_an_image_does_not_depend_on_the_others_of_its_batch(embedder):
    meta_test = small_batch(1)
    runs = [outer_rho(embedder, small_batch(number), meta_test, statistics="running") for number in (1, 2)]
    assert torch.equal(*runs)  # without an inner step meta-train moves nothing
    there = outer_rho(embedder, small_batch(), meta_test, statistics="meta_train")
    assert (there - runs[0]).abs().max() > 1e-5


def test_a_target_step_lowers_the_triplet_loss_of_the_target_by_rho_alone(embedder):
    batch, before = small_batch(), snapshot(embedder)
    optimizer = SGD(list(rho_of(embedder).values()), lr=0.5)
    losses = [target_step(embedder, batch, optimizer, margin=0.3)["target/triplet"].item() for _ in range(10)]
    assert losses[-1] < losses[0]
    assert all(torch.equal(value, before[name]) != name.endswith(".rho") for name, value in snapshot(embedder).items())


def test_a_target_step_is_a_step_along_the_triplet_loss_of_the_network_in_evaluation(embedder):
    batch = small_batch()
    there = copy.deepcopy(embedder).eval()
    rho = rho_of(there)
    for parameter in rho.values():
        parameter.requires_grad_(True)
    loss = triplet_loss(there(batch.images), batch.label, margin=0.7)
    gradients = torch.autograd.grad(loss, list(rho.values()))
    scalars = target_step(embedder, batch, SGD(list(rho_of(embedder).values()), lr=0.1), margin=0.7)
    assert list(scalars) == ["target/triplet"]
    torch.testing.assert_close(scalars["target/triplet"], loss.detach())
    assert embedder.training
    for name, gradient in zip(rho, gradients, strict=True):
        expected = (rho[name] - 0.1 * gradient).clamp(0, 1).detach()
        torch.testing.assert_close(rho_of(embedder)[name].detach(), expected)
