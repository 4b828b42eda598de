import pytest
import torch
from torch import nn

from metabin.backbones import BACKBONES, build_backbone
from metabin.model.embedder import build_embedder
from metabin.model.fused.layers import FusedBatchInstanceNorm2d, FusedInstanceNorm2d
from metabin.model.swapping import NORMS, swap_norms
from metabin.model.variants import HalfNorm2d, SharedAffineBatchInstanceNorm2d

EARLY = ("first",)


def trained():
    """Two convolutions with BatchNorms that have learned something; the first is an early stage."""
    torch.manual_seed(0)
    network = nn.Sequential()
    for name, num_in in (("first", 3), ("second", 5)):
        bn = nn.BatchNorm2d(5, eps=1e-3, momentum=0.2)
        with torch.no_grad():
            bn.weight.normal_(), bn.bias.normal_(), bn.running_mean.normal_(), bn.running_var.uniform_(0.5, 2)
        network.add_module(name, nn.Sequential(nn.Conv2d(num_in, 5, 3), bn))
    return network.eval()


def count(network, kind):
    return sum(type(module) is kind for module in network.modules())


@pytest.mark.parametrize("norm", ["bn", "bin", "bin_shared"])
def test_a_batch_half_of_all_channels_starts_with_the_values_of_the_batch_norm(norm):
    images = torch.randn(2, 3, 9, 8)
    expected = trained()(images)
    torch.testing.assert_close(swap_norms(trained(), norm, rho=1.0).eval()(images), expected, atol=1e-6, rtol=1e-6)


def test_the_batch_half_of_a_half_norm_starts_with_the_values_of_the_batch_norm():
    bn, layer = trained().first[1], swap_norms(trained(), "half", rho=1.0).first[1]
    assert type(layer) is HalfNorm2d
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(getattr(layer.batch, name), getattr(bn, name)[:3])
    assert (layer.batch.eps, layer.batch.momentum, layer.instance.eps) == (1e-3, 0.2, 1e-3)


@pytest.mark.parametrize("norm", ["in", "half", "bin", "dual"])
def test_an_instance_half_starts_at_weight_one_and_bias_zero(norm):
    layer = swap_norms(trained(), norm, rho=0.5, early_stages=EARLY).first[1]
    state = layer.state_dict()
    prefix = {"in": "", "dual": "", "half": "instance.", "bin": "in_"}[norm]
    assert (state[f"{prefix}weight"] == 1).all()
    assert (state[f"{prefix}bias"] == 0).all()


@pytest.mark.parametrize("norm", ["in", "half", "bin", "dual"])
def test_an_instance_half_can_start_as_a_copy_of_the_batch_norm_s_affine(norm):
    bn = trained().first[1]
    layer = swap_norms(trained(), norm, rho=0.5, in_affine="copied", early_stages=EARLY).first[1]
    state = layer.state_dict()
    prefix, first = {"in": ("", 0), "dual": ("", 0), "half": ("instance.", 3), "bin": ("in_", 0)}[norm]
    assert torch.equal(state[f"{prefix}weight"], bn.weight[first:])
    assert torch.equal(state[f"{prefix}bias"], bn.bias[first:])


@pytest.mark.parametrize("norm", ["bin", "bin_shared"])
def test_one_rho_per_layer_equals_one_per_channel_with_the_sum_of_their_gradients(norm):
    x = torch.randn(4, 3, 9, 8)
    shared, each = (swap_norms(trained(), norm, rho=0.3, rho_per=per) for per in ("layer", "channel"))
    actual, expected = shared(x), each(x)
    torch.testing.assert_close(actual, expected)
    weights = torch.randn_like(actual)
    (actual * weights).sum().backward(), (expected * weights).sum().backward()
    for layer, other in ((shared.first[1], each.first[1]), (shared.second[1], each.second[1])):
        assert layer.rho.shape == (1,)
        torch.testing.assert_close(layer.rho.grad, other.rho.grad.sum(dim=0, keepdim=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("norm", "kind"), [("bin", FusedBatchInstanceNorm2d), ("bin_shared", SharedAffineBatchInstanceNorm2d)]
)
def test_rho_starts_at_its_argument_and_eps_and_momentum_do_not_change(norm, kind):
    layer = swap_norms(trained(), norm, rho=0.25).second[1]
    assert type(layer) is kind
    assert (layer.rho == 0.25).all()
    assert (layer.eps, layer.momentum) == (1e-3, 0.2)


def test_dual_norm_is_instance_norm_in_early_stages_and_the_trained_batch_norm_in_the_others():
    network = swap_norms(trained(), "dual", rho=1.0, early_stages=EARLY)
    assert type(network.first[1]) is FusedInstanceNorm2d
    assert torch.equal(network.second[1].running_mean, trained().second[1].running_mean)


@pytest.mark.parametrize(
    # blocks of 1, 2, 3, 4 and 3 after the stem are early; 3 and 1 before the last convolution are not
    ("name", "num_instance", "num_batch"),
    [("mobilenetv2_1.0", 1 + 13 * 3, 4 * 3 + 1), ("mobilenetv2_torchvision_1.0", 1 + 13 * 3 - 1, 4 * 3 + 1)],
)
def test_dual_norm_in_a_mobilenet_has_batch_norm_from_the_stage_of_160_channels(name, num_instance, num_batch):
    network, _ = build_backbone(name)
    swap_norms(network, "dual", rho=1.0, early_stages=BACKBONES[name].early_stages)
    assert (count(network, FusedInstanceNorm2d), count(network, nn.BatchNorm2d)) == (num_instance, num_batch)
    assert [layer.num_features for layer in network.modules() if type(layer) is nn.BatchNorm2d][0] == 96 * 6


def test_a_stage_whose_name_only_begins_like_an_early_one_is_not_early():
    network = nn.Sequential(*(nn.BatchNorm2d(2) for _ in range(11)))
    swap_norms(network, "dual", rho=1.0, early_stages=("1",))
    assert [index for index, layer in enumerate(network) if type(layer) is FusedInstanceNorm2d] == [1]


def test_dual_norm_is_refused_where_no_early_stages_are_defined():
    with pytest.raises(ValueError, match="the norm 'dual' needs a backbone with early stages, as the MobileNets have"):
        build_embedder("resnet_small", 4, norm="dual")


def test_of_an_ibn_layer_only_the_batch_half_is_replaced():
    network, _ = build_backbone("resnet50_ibn")
    swap_norms(network, "bin", rho=0.5)
    layer = network.get_submodule("layer1.0.bn1")
    assert type(layer.IN) is nn.InstanceNorm2d
    assert type(layer.BN) is FusedBatchInstanceNorm2d
    assert (count(network, nn.InstanceNorm2d), count(network, nn.BatchNorm2d)) == (13, 0)


@pytest.mark.parametrize("norm", NORMS)
def test_a_swap_draws_no_random_numbers(norm):
    network = trained()
    before = torch.get_rng_state()
    swap_norms(network, norm, rho=0.5, early_stages=EARLY)
    assert torch.equal(torch.get_rng_state(), before)


def test_methods_start_from_the_same_convolutions():
    models = []
    for norm in set(NORMS) - {"dual"}:
        torch.manual_seed(7)
        models.append(build_embedder("resnet_small", 4, norm=norm))
    for other in models[1:]:
        assert torch.equal(models[0].backbone.conv.weight, other.backbone.conv.weight)
        assert torch.equal(models[0].classifier.weight, other.classifier.weight)
