import pytest
import torch
from torch import nn
from torch.func import functional_call

from metabin.model import norm, variants
from metabin.model.norm import BatchInstanceNorm2d
from metabin.model.variants import IBN, HalfNorm2d, SharedAffineBatchInstanceNorm2d

VALUES = {"rho": [0.25, 0.5, 0.9], "weight": [1, 1.5, 0.5], "bias": [0.1, -0.2, 0.3]}


def shared_affine(dtype=torch.float32):
    layer = SharedAffineBatchInstanceNorm2d(3).to(dtype)
    layer.load_state_dict({name: torch.tensor(value, dtype=dtype) for name, value in VALUES.items()}, strict=False)
    return layer


def randomise(layer):
    """An affine that is not the identity, for each half of a layer."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 2e-5)])
def test_the_shared_affine_layer_equals_the_reference(dtype, tolerance, reference):
    expected = reference["bin_layer_gate1_shared_affine"]
    y = shared_affine(dtype)(torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(0)).to(dtype))
    torch.testing.assert_close(
        y.detach().flatten().double(), torch.tensor(expected["y"]).double(), atol=tolerance, rtol=tolerance
    )
    torch.testing.assert_close(y.square().sum().item(), expected["y_sqsum"], atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("training", [True, False])
def test_the_shared_affine_layer_is_its_equation(training):
    layer = shared_affine().train(training)
    layer.running_mean.fill_(0.3)
    layer.running_var.fill_(2.0)
    x = torch.randn(4, 3, 5, 2)
    mean, var = layer.running_mean.clone(), layer.running_var.clone()
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    rho, weight, bias, mean, var = (v.view(1, 3, 1, 1) for v in (layer.rho, layer.weight, layer.bias, mean, var))
    xhat_bn = (x - mean) / (var + layer.eps).sqrt()
    xhat_in = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + layer.eps).sqrt()
    torch.testing.assert_close(layer(x), weight * (rho * xhat_bn + (1 - rho) * xhat_in) + bias, atol=1e-5, rtol=1e-5)


def test_the_shared_affine_layer_moves_its_running_statistics_as_batch_norm_does():
    layer, plain, x = shared_affine(), nn.BatchNorm2d(3), torch.randn(4, 3, 5, 2)
    layer(x), plain(x)
    assert torch.equal(layer.running_mean, plain.running_mean)
    assert torch.equal(layer.running_var, plain.running_var)


def test_with_a_shared_affine_rho_one_is_exactly_batch_norm_and_rho_zero_instance_norm():
    x = torch.randn(4, 3, 6, 5)
    batch, instance = randomise(nn.BatchNorm2d(3)), randomise(nn.InstanceNorm2d(3, affine=True))
    for rho, plain, tolerance in ((1.0, batch, 0.0), (0.0, instance, 1e-6)):
        layer = SharedAffineBatchInstanceNorm2d(3, rho=rho)
        layer.load_state_dict({"weight": plain.weight.detach(), "bias": plain.bias.detach()}, strict=False)
        torch.testing.assert_close(layer(x), plain(x), atol=tolerance, rtol=tolerance)


def test_gradients_of_the_shared_affine_layer_pass_gradcheck_twice():
    torch.manual_seed(0)
    layer = SharedAffineBatchInstanceNorm2d(2, rho=0.3).double()
    names = [name for name, _ in layer.named_parameters()]
    x = torch.randn(3, 2, 2, 3, dtype=torch.float64, requires_grad=True)

    def forward(x, *parameters):
        scratch = {name: buffer.clone() for name, buffer in layer.named_buffers()}
        return functional_call(layer, {**dict(zip(names, parameters, strict=True)), **scratch}, (x,))

    inputs = (x, *(parameter.detach().clone().requires_grad_() for parameter in layer.parameters()))
    assert torch.autograd.gradcheck(forward, inputs)
    assert torch.autograd.gradgradcheck(forward, inputs)


def test_the_shared_affine_layer_refuses_one_pixel_and_a_rho_outside_the_unit_interval():
    with pytest.raises(ValueError, match=r"more than one pixel, found a map of shape \(4, 3, 1, 1\)"):
        SharedAffineBatchInstanceNorm2d(3)(torch.randn(4, 3, 1, 1))
    with pytest.raises(ValueError, match="found -0.5"):
        SharedAffineBatchInstanceNorm2d(3, rho=-0.5)


@pytest.mark.parametrize("training", [True, False])
def test_half_norm_is_batch_norm_for_the_first_half_rounded_up_and_instance_norm_for_the_others(training):
    layer, x = randomise(HalfNorm2d(5)).train(training), torch.randn(4, 5, 6, 3)
    y = layer(x)
    assert torch.equal(y[:, :3], layer.batch(x[:, :3]))
    assert torch.equal(y[:, 3:], layer.instance(x[:, 3:]))
    assert (layer.batch.num_features, layer.instance.num_features) == (3, 2)
    assert layer.instance.weight.shape == (2,)


@pytest.mark.parametrize("training", [True, False])
def test_ibn_is_instance_norm_for_the_first_half_rounded_down_and_batch_norm_for_the_others(training):
    layer, x = randomise(IBN(5)).train(training), torch.randn(4, 5, 6, 3)
    y = layer(x)
    assert torch.equal(y[:, :2], layer.IN(x[:, :2]))
    assert torch.equal(y[:, 2:], layer.BN(x[:, 2:]))
    assert {name for name, _ in layer.named_parameters()} == {"IN.weight", "IN.bias", "BN.weight", "BN.bias"}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("layer", [BatchInstanceNorm2d(3), SharedAffineBatchInstanceNorm2d(3)])
def test_statistics_are_joined_in_training_alone(layer, joined, training, monkeypatch):
    """Of one rank, both ways give the same values: what differs is what several ranks exchange."""
    asked = []

    def spy(x, *arguments, joined, **options):
        asked.append(joined)
        return x

    for module in (norm, variants):
        monkeypatch.setattr(module, "batch_norm", spy)
    monkeypatch.setattr(layer, "joined", joined)
    layer.train(training)(torch.randn(2, 3, 2, 2))
    assert asked == [joined and training]


@pytest.mark.parametrize("num_features", [4, 5])
def test_the_halves_have_the_settings_of_the_layer(num_features):
    layer = HalfNorm2d(num_features, eps=0.5, momentum=0.3)
    assert (layer.batch.num_features, layer.instance.num_features) == (num_features - 2, 2)
    assert (layer.batch.eps, layer.batch.momentum, layer.instance.eps) == (0.5, 0.3, 0.5)
    plain, default = nn.BatchNorm2d(2), HalfNorm2d(4)
    assert (default.batch.eps, default.batch.momentum, default.instance.eps) == (plain.eps, plain.momentum, plain.eps)
