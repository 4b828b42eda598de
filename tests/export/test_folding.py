"""A folded network computes the same in evaluation, and has as few operations as the mathematics permits."""

import pytest
import torch
from torch import nn

from metabin.export.folding import Affine, BatchScaledInstanceNorm, fold_norms
from metabin.model.norm import BatchInstanceNorm2d
from metabin.model.swapping import NORMS, swap_norms
from metabin.model.variants import IBN

CASES = [("resnet_small", norm) for norm in NORMS if norm != "dual"] + [("mobilenet", norm) for norm in NORMS]


def assert_equal(folded, network):
    # large enough for maps of 16 pixels: the variance of very few pixels amplifies rounding
    size = (64, 64)
    images = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(images)
        scale = expected.abs().max()
        torch.testing.assert_close(folded(images) / scale, expected / scale, rtol=0, atol=1e-10)


def count(network, kind):
    return sum(isinstance(layer, kind) for layer in network.modules())


@pytest.mark.parametrize(("backbone", "norm"), CASES)
def test_every_norm_computes_the_same_as_plain_layers(backbone, norm, make_network):
    network = make_network(backbone, norm).double().backbone
    folded = fold_norms(network)
    assert_equal(folded, network)
    assert not count(folded, nn.BatchNorm2d)
    assert not count(folded, BatchInstanceNorm2d)


@pytest.mark.parametrize("norm", ["bin", "bin_shared"])
@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_a_norm_with_one_half_becomes_an_instance_norm_or_part_of_the_convolution(norm, rho, make_network):
    network = make_network("resnet_small", norm, rho).double().backbone
    folded = fold_norms(network)
    assert_equal(folded, network)
    assert not count(folded, (BatchScaledInstanceNorm, Affine))
    assert count(folded, nn.InstanceNorm2d) == (12 if rho == 0 else 0)


def test_one_rho_for_a_layer_is_one_for_each_channel(make_network):
    network = make_network("resnet_small", rho_per="layer").double().backbone
    assert_equal(fold_norms(network), network)


@pytest.mark.parametrize("backbone", ["resnet_small", "mobilenet"])
def test_batch_norms_leave_no_trace(backbone, make_network):
    folded = fold_norms(make_network(backbone, "bn").backbone)
    assert not count(folded, (Affine, nn.BatchNorm2d, nn.InstanceNorm2d))
    assert all(layer.bias is not None for layer in folded.modules() if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("norm", ["bn", "bin"])
def test_the_parts_of_an_ibn_layer_are_folded_together(norm):
    network = nn.Sequential(nn.Conv2d(3, 7, 3, bias=False), IBN(7), nn.ReLU())
    network = swap_norms(network, norm, rho=0.3).double().eval()
    network[1].get_buffer("BN.running_mean").fill_(0.4)
    folded = fold_norms(network)
    assert_equal(folded, network)
    assert count(folded, BatchScaledInstanceNorm) == 1


class Branching(nn.Module):
    """A convolution whose output also goes elsewhere, and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 1)
        self.norm_of_twice = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 4, 1)
        self.norm_of_last = nn.BatchNorm2d(4)

    def forward(self, images):
        x = self.shared(images)
        x = self.norm(x) + x
        x = self.twice(self.norm_of_twice(self.twice(x)))
        return self.norm_of_last(self.last(x))


def test_a_convolution_whose_output_has_another_use_keeps_its_weights():
    network = Branching().double().eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.fill_(3)
    folded = fold_norms(network)
    assert_equal(folded, network)
    assert isinstance(folded.norm, Affine)
    assert isinstance(folded.norm_of_twice, Affine)
    assert isinstance(folded.norm_of_last, nn.Identity)
    assert torch.equal(folded.shared.weight, network.shared.weight)


def test_the_network_itself_stays_as_it_is(make_network):
    network = make_network(norm="bn").backbone
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold_norms(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(value.requires_grad for value in network.parameters())


def test_a_network_in_training_mode_is_refused(make_network):
    with pytest.raises(ValueError, match=r"in training mode.*call eval\(\)"):
        fold_norms(make_network().backbone.train())
