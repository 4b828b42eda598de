import pytest
import torch
from torch import nn
from torch.func import functional_call

from metabin.model.norm import BatchInstanceNorm2d, batch_norm, clip_rho, is_rho, rho_of
from metabin.model.variants import SharedAffineBatchInstanceNorm2d


@pytest.fixture(params=["float64", "float32"])
def case(request, reference):
    """The layer, input and upstream gradient of the reference's recipe, the expected numbers, and the tolerance."""
    dtype = getattr(torch, request.param)
    x, upstream = (torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in (0, 1))
    layer = BatchInstanceNorm2d(3).to(dtype)
    values = {
        "rho": [0.25, 0.5, 0.9],
        "bn_weight": [1, 1.5, 0.5],
        "bn_bias": [0.1, -0.2, 0.3],
        "in_weight": [0.8, 1.2, 1],
        "in_bias": [0, 0.1, -0.1],
    }
    layer.load_state_dict({name: torch.tensor(value, dtype=dtype) for name, value in values.items()}, strict=False)
    return (
        layer,
        x.requires_grad_(),
        upstream,
        reference["bin_layer"][request.param],
        1e-6 if dtype == torch.float64 else 2e-5,
    )


def close(actual, expected, tolerance):
    torch.testing.assert_close(
        actual.detach().flatten().double(),
        torch.as_tensor(expected, dtype=torch.float64).flatten(),
        atol=tolerance,
        rtol=tolerance,
    )


def test_forward_and_backward_in_training_equal_the_reference(case):
    layer, x, upstream, expected, tolerance = case
    y = layer(x)
    (y * upstream).sum().backward()
    close(y, expected["y"], tolerance)
    close(x.grad, expected["grad_x"], tolerance)
    for name in ("rho", "bn_weight", "bn_bias", "in_weight", "in_bias"):
        close(getattr(layer, name).grad, expected[f"grad_{name}"], tolerance)
    close(layer.running_mean, expected["running_mean_after"], tolerance)
    close(layer.running_var, expected["running_var_after"], tolerance)


def test_evaluation_uses_running_statistics_for_the_batch_half_and_equals_the_reference(case):
    layer, x, _, expected, tolerance = case
    layer(x)
    close(layer.eval()(x), expected["eval_y_after_one_update"], tolerance)


def test_scratch_buffers_hold_the_running_statistics_and_give_the_same_output(case):
    layer, x, _, expected, tolerance = case
    y = functional_call(layer, {name: buffer.clone() for name, buffer in layer.named_buffers()}, (x,))
    close(y, expected["y"], tolerance)
    assert torch.equal(layer.running_mean, torch.zeros_like(layer.running_mean))
    assert torch.equal(layer.running_var, torch.ones_like(layer.running_var))


@pytest.mark.parametrize("training", [True, False])
def test_rho_one_is_exactly_batch_norm_and_rho_zero_exactly_instance_norm(training):
    x = torch.randn(4, 3, 6, 5)
    batch, instance = nn.BatchNorm2d(3), nn.InstanceNorm2d(3, affine=True)
    for rho, plain, half in ((1.0, batch, "bn"), (0.0, instance, "in")):
        layer = BatchInstanceNorm2d(3, rho=rho)
        with torch.no_grad():
            for part in ("weight", "bias"):
                getattr(plain, part).normal_()
                getattr(layer, f"{half}_{part}").copy_(getattr(plain, part))
        assert torch.equal(layer.train(training)(x), plain.train(training)(x))


def test_gradients_of_input_and_all_parameters_pass_gradcheck_twice():
    torch.manual_seed(0)
    layer = BatchInstanceNorm2d(2, rho=0.3).double()
    names = [name for name, _ in layer.named_parameters()]
    x = torch.randn(3, 2, 2, 3, dtype=torch.float64, requires_grad=True)

    def forward(x, *parameters):
        scratch = {name: buffer.clone() for name, buffer in layer.named_buffers()}
        return functional_call(layer, {**dict(zip(names, parameters, strict=True)), **scratch}, (x,))

    inputs = (x, *(parameter.detach().clone().requires_grad_() for parameter in layer.parameters()))
    assert torch.autograd.gradcheck(forward, inputs)
    assert torch.autograd.gradgradcheck(forward, inputs)


def test_a_map_of_one_pixel_is_refused():
    with pytest.raises(ValueError, match=r"more than one pixel, found a map of shape \(4, 3, 1, 1\)"):
        BatchInstanceNorm2d(3)(torch.randn(4, 3, 1, 1))


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (1, 7), (7, 1), (2, 2), (3, 3)])
def test_a_map_of_one_row_or_column_or_a_square_is_normalised_by_its_pixels(size):
    x = torch.randn(4, 3, *size, dtype=torch.float64)
    layer = BatchInstanceNorm2d(3, rho=0.25).double()
    batch = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    instance = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    close(layer(x), 0.25 * batch + 0.75 * instance, 1e-9)


def test_rho_is_found_by_the_last_part_of_a_name_and_clipped_in_place():
    model = nn.Sequential(BatchInstanceNorm2d(2), nn.Conv2d(2, 2, 1), BatchInstanceNorm2d(3, rho_per="layer"))
    assert [is_rho(name) for name in ("rho", "0.rho", "rho.weight", "arho", "norm.rho_lr", "0.bn_weight")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    assert {name: len(rho) for name, rho in rho_of(model).items()} == {"0.rho": 2, "2.rho": 1}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model[0].rho.copy_(torch.tensor([-0.5, 0.25]))
        model[2].rho.fill_(1.5)
    clip_rho(model)
    assert model[0].rho.tolist() == [0.0, 0.25]
    assert model[2].rho.tolist() == [1.0]
    others = [name for name in before if not is_rho(name)]
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in others)


@pytest.mark.parametrize("layer", [BatchInstanceNorm2d, SharedAffineBatchInstanceNorm2d])
@pytest.mark.parametrize("training", [True, False])
def test_both_halves_have_the_eps_and_the_batch_half_the_momentum_of_the_layer(layer, training):
    mixed = layer(3, eps=0.5, momentum=0.3, rho=0.25).train(training)
    batch, instance = nn.BatchNorm2d(3, eps=0.5, momentum=0.3), nn.InstanceNorm2d(3, eps=0.5)
    x = torch.randn(4, 3, 5, 2)
    torch.testing.assert_close(mixed(x), 0.25 * batch.train(training)(x) + 0.75 * instance(x))
    assert torch.equal(mixed.running_mean, batch.running_mean)
    assert torch.equal(mixed.running_var, batch.running_var)
    assert repr(mixed) == f"{layer.__name__}(3, eps=0.5, momentum=0.3)"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_on_one_rank_joined_statistics_are_those_of_the_batch(channels, dtype):
    results = []
    for joined in (False, True):
        generator = torch.Generator().manual_seed(0)
        x = (torch.randn(4, channels, 5, 2, generator=generator, dtype=dtype) * 2 + 1).requires_grad_()
        mean, var, weight, bias = (torch.rand(channels, generator=generator, dtype=dtype) + 0.5 for _ in range(4))
        y = batch_norm(x, mean, var, weight, bias, training=True, momentum=0.3, eps=0.5, joined=joined)
        (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), x)
        results.append((y.detach(), gradient.detach(), second, mean, var))
    torch.testing.assert_close(*results)


def test_joined_statistics_of_half_precision_are_computed_in_the_precision_of_the_weights():
    x = (torch.randn(8, 3, 16, 16) + 30).bfloat16()  # the variance of these would be lost in bfloat16
    mean, var, weight, bias = torch.zeros(3), torch.ones(3), torch.ones(3), torch.zeros(3)
    y = batch_norm(x, mean, var, weight, bias, training=True, momentum=1.0, eps=1e-5, joined=True)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(mean, x.float().mean((0, 2, 3)))
    torch.testing.assert_close(var, x.float().var((0, 2, 3)))
    torch.testing.assert_close(y.float().mean((0, 2, 3)), torch.zeros(3), atol=1e-2, rtol=0)


def test_the_defaults_are_those_of_batch_norm_and_rho_starts_there():
    layer, plain = BatchInstanceNorm2d(3), nn.BatchNorm2d(3)
    assert (layer.eps, layer.momentum, layer.rho.tolist(), layer.joined) == (plain.eps, plain.momentum, [1] * 3, False)


def test_a_start_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match="found 1.5"):
        BatchInstanceNorm2d(3, rho=1.5)
