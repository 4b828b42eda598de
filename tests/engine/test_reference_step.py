"""The base step in the authors' order against a slow version that states what each backward pass multiplies."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD

from metabin.engine.base_step import base_step
from metabin.engine.reference_step import reference_step
from metabin.losses.cross_entropy import cross_entropy_loss
from metabin.losses.inputs import WeightedLosses
from metabin.losses.triplet import triplet_loss
from metabin.model.embedder import Embedder
from metabin.model.norm import BatchInstanceNorm2d, is_rho, rho_of
from metabin.types import Batch

LOSSES = WeightedLosses({"ce": 1.0, "triplet": 1.0}, margin=0.3, smoothing=0.1)
RHO_RATE = 0.5


def build():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 4, 3, bias=False), BatchInstanceNorm2d(4, rho=0.5), nn.ReLU(),
        nn.Conv2d(4, 5, 3, bias=False), BatchInstanceNorm2d(5, rho=0.4), nn.ReLU(),
    ]  # fmt: skip
    model = Embedder(nn.Sequential(*layers), 5, 3).double()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1 and parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter)).clamp_(0.05, 2)
    return model


def batch():
    images = torch.randn(6, 3, 9, 8, generator=torch.Generator().manual_seed(1)).double()
    return Batch(images, torch.tensor([0, 0, 1, 1, 2, 2]), torch.zeros(6), torch.zeros(6))


def optimizers(model, lr):
    weights = [value for name, value in model.named_parameters() if not is_rho(name) and value.requires_grad]
    return SGD(weights, lr=lr, momentum=0.9), SGD(list(rho_of(model).values()), lr=RHO_RATE)


def old_value(old, new):
    """The value of `old` with the gradient of `new`: what a pass over changed tensors computes."""
    return new + (old - new).detach()


def slow_rho_gradient(old, new, data):
    """d loss / d rho with activations of the weights `old` and products with the weights `new`."""
    rho = {name: value.clone().requires_grad_() for name, value in old.items() if is_rho(name)}
    x = data.images
    for conv, norm in ((0, 1), (3, 4)):
        key = f"backbone.{conv}.weight"
        x = old_value(F.conv2d(x, old[key]), F.conv2d(x, new[key]))
        name = f"backbone.{norm}."
        balance = rho[f"{name}rho"]

        def scaled(part, share, name=name):  # the share times a scale or shift of the affine
            return old_value(share * old[name + part], share * new[name + part])

        batch_half = F.batch_norm(
            x, None, None, scaled("bn_weight", balance), scaled("bn_bias", balance), training=True
        )
        instance_half = F.instance_norm(x, weight=scaled("in_weight", 1 - balance), bias=scaled("in_bias", 1 - balance))
        x = F.relu(batch_half + instance_half)
    features = x.mean(dim=(2, 3))
    neck = [F.batch_norm(features, None, None, values["neck.weight"], None, training=True) for values in (old, new)]
    embedding = old_value(*neck)
    logits = old_value(*(embedding @ values["classifier.weight"].T for values in (old, new)))
    loss = cross_entropy_loss(logits, data.label, smoothing=0.1) + triplet_loss(features, data.label, margin=0.3)
    return dict(zip(rho, torch.autograd.grad(loss, list(rho.values())), strict=True))


def values(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@pytest.mark.parametrize("lr", [0.05, 0.5])
def test_rho_follows_old_activations_times_new_weights(lr):
    model, data = build(), batch()
    old = values(model)
    reference_step(model, data, *optimizers(model, lr), LOSSES)
    new = values(model)
    for name, gradient in slow_rho_gradient(old, new, data).items():
        moved = (old[name] - RHO_RATE * gradient).clamp(0, 1)
        torch.testing.assert_close(new[name], moved, atol=1e-10, rtol=0, msg=name)


@pytest.mark.parametrize("lr", [0.05, 0.5])
def test_the_weights_move_as_in_the_usual_step_and_rho_does_not(lr):
    stepped = []
    for step in (base_step, reference_step):
        model = build()
        pair = optimizers(model, lr)
        scalars = step(model, batch(), *([pair] if step is base_step else pair), LOSSES)
        stepped.append((values(model), scalars, dict(model.named_buffers())))
    (usual, first, statistics), (reference, second, others) = stepped
    assert first == second
    for name, value in statistics.items():
        torch.testing.assert_close(others[name], value)
    for name, value in usual.items():
        if is_rho(name):
            assert not torch.allclose(reference[name], value, atol=1e-6)
        else:
            torch.testing.assert_close(reference[name], value, msg=name)


def test_weights_that_stay_leave_no_difference():
    model, other = build(), build()
    reference_step(model, batch(), *optimizers(model, 0.0), LOSSES)
    base_step(other, batch(), optimizers(other, 0.0), LOSSES)
    for name, value in values(other).items():
        torch.testing.assert_close(values(model)[name], value, msg=name)


def test_the_weights_of_two_steps_with_momentum_stay_in_their_optimiser():
    model = build()
    pair = optimizers(model, 0.1)
    for _ in range(2):
        reference_step(model, batch(), *pair, LOSSES)
    assert all("momentum_buffer" in pair[0].state[value] for value in pair[0].param_groups[0]["params"])
    assert all(value.grad is None for value in model.parameters())
