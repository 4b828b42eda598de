"""MixStyle against a slow version, and where it acts."""

import pytest
import torch

from metabin.backbones import BACKBONES
from metabin.model.embedder import build_embedder
from metabin.model.mixstyle import EPS, mix_styles


def test_every_channel_gets_a_mixture_of_its_own_and_another_images_statistics(monkeypatch):
    maps = torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    shares = torch.tensor([0.0, 0.3, 0.5, 1.0, 0.8], dtype=torch.float64).view(-1, 1, 1, 1)
    order = [3, 0, 4, 1, 2]
    monkeypatch.setattr(torch.distributions.Beta, "sample", lambda self: shares)
    monkeypatch.setattr(torch, "randperm", lambda count, device: torch.tensor(order))
    mixed = mix_styles(maps)
    for image, other in enumerate(order):
        for channel in range(3):
            own, partner = maps[image, channel], maps[other, channel]
            share = shares[image].item()
            std, partner_std = ((values.var() + EPS).sqrt() for values in (own, partner))
            normalised = (own - own.mean()) / std
            expected = normalised * (share * std + (1 - share) * partner_std)
            expected = expected + share * own.mean() + (1 - share) * partner.mean()
            torch.testing.assert_close(mixed[image, channel], expected, atol=1e-12, rtol=0)


def test_statistics_are_constants_of_the_gradient():
    maps = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    torch.manual_seed(0)
    gradient = torch.autograd.grad(mix_styles(maps).sum(), maps)[0]
    # the scale of an image and channel alone, the same for all its pixels
    torch.testing.assert_close(gradient, gradient.mean(dim=(2, 3), keepdim=True).expand_as(gradient))


def outputs(model, seed):
    torch.manual_seed(seed)
    return model(torch.randn(6, 3, 64, 32, generator=torch.Generator().manual_seed(0)))


def test_it_acts_in_training_alone_and_adds_nothing_to_the_weights():
    torch.manual_seed(0)
    plain = build_embedder("resnet_small", 4, norm="bin", rho=0.5)
    mixing = build_embedder("resnet_small", 4, norm="bin", rho=0.5, mixstyle=1.0)
    mixing.load_state_dict(plain.state_dict())
    assert not torch.equal(outputs(plain, 1), outputs(mixing, 1))
    assert not torch.equal(outputs(mixing, 1), outputs(mixing, 2))
    torch.testing.assert_close(outputs(mixing, 3), outputs(mixing, 3), atol=0, rtol=0)
    mixing.load_state_dict(plain.state_dict())
    torch.testing.assert_close(outputs(plain.eval(), 1), outputs(mixing.eval(), 2), atol=0, rtol=0)


def test_the_probability_is_that_of_a_stage_and_a_batch():
    torch.manual_seed(0)
    model = build_embedder("resnet_small", 4, norm="in", mixstyle=0.5)
    plain = build_embedder("resnet_small", 4, norm="in")
    plain.load_state_dict(model.state_dict())
    expected = outputs(plain, 0)
    same = [torch.equal(outputs(model, seed), expected) for seed in range(40)]
    # both of two stages leave the maps as they are in a quarter of the batches
    assert 4 <= sum(same) <= 18


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_names_first_stages_that_it_has(name):
    with torch.device("meta"):
        network = BACKBONES[name].build()
    assert [network.get_submodule(stage) for stage in BACKBONES[name].first_stages]
