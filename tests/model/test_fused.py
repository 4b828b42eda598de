"""The fused normalisation equals the plain equation: values, first and second gradients, running statistics."""

import gc
import math
import subprocess
import sys
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from metabin.model.fused.clip import clip
from metabin.model.fused.cpu import kernels
from metabin.model.fused.function import dense, dense_like, kernels_for, recompute_norms
from metabin.model.fused.layers import FusedBatchInstanceNorm2d, FusedInstanceNorm2d, norm_relu
from metabin.model.norm import BatchInstanceNorm2d

TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}
CLIPS = [(-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0)]
# fewer pixels than a block, more than one, a number that no block divides; odd and even numbers of channels
SHAPES = [(4, 3, 5, 2), (3, 16, 8, 8), (2, 7, 13, 11)]


def layers(num_channels, dtype=torch.float64):
    """A plain and a fused layer with the same random state."""
    generator = torch.Generator().manual_seed(0)
    plain, fused = BatchInstanceNorm2d(num_channels).to(dtype), FusedBatchInstanceNorm2d(num_channels).to(dtype)
    state = {
        name: torch.rand(value.shape, generator=generator, dtype=dtype) + (0 if name == "rho" else 0.5)
        for name, value in plain.state_dict().items()
    }
    plain.load_state_dict(state), fused.load_state_dict(state)
    return plain, fused


def maps(shape, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=dtype) * 2 + 0.7).requires_grad_()


def clipped(layer, x, low, high):
    return layer(x).clamp(low, high)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("clip", CLIPS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_gradients_and_running_statistics_are_those_of_the_plain_equation(
    shape, clip, with_residual, training, dtype
):
    plain, fused = layers(shape[1], dtype)
    upstream = maps(shape, dtype, seed=2).detach()
    x, x_fused = maps(shape, dtype), maps(shape, dtype)
    residual, residual_fused = maps(shape, dtype, seed=3), maps(shape, dtype, seed=3)
    z = plain.train(training)(x)
    expected = (z + residual if with_residual else z).clamp(*clip)
    arguments = [x_fused, residual_fused] if with_residual else [x_fused]
    actual = fused.train(training)(*arguments, low=clip[0], high=clip[1])
    expected.backward(upstream), actual.backward(upstream)
    close = {"atol": TOLERANCE[dtype], "rtol": TOLERANCE[dtype]}
    torch.testing.assert_close(actual, expected, **close)
    torch.testing.assert_close(residual_fused.grad, residual.grad, **close)
    # sums over a batch grow with it
    close["atol"] *= upstream[:, 0].numel()
    torch.testing.assert_close(x_fused.grad, x.grad, **close)
    for (name, value), (_, other) in zip(plain.named_parameters(), fused.named_parameters(), strict=True):
        torch.testing.assert_close(other.grad, value.grad, **close, msg=lambda text, name=name: f"{name}: {text}")
    for (name, value), (_, other) in zip(plain.named_buffers(), fused.named_buffers(), strict=True):
        torch.testing.assert_close(other, value, **close, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("bound", [0.0, 6.0])
def test_the_gradient_on_a_bound_is_zero_as_of_every_relu(bound):
    """A channel whose norm gives exactly the bound: weights of 0 and a bias."""
    layer, x = FusedBatchInstanceNorm2d(3).double(), maps((4, 3, 5, 2))
    with torch.no_grad():
        for name, value in layer.named_parameters():
            value.fill_(bound if name.endswith("bias") else 0.5 if name == "rho" else 0)
    residual = torch.zeros_like(x).requires_grad_()
    y = layer(x, residual, low=0.0, high=6.0)
    assert (y == bound).all()
    gradients = torch.autograd.grad(y.sum(), [x, residual, *layer.parameters()])
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("bound", [0.0, 6.0])
def test_the_gradient_of_a_norm_alone_is_zero_on_a_bound(bound):
    """Maps of exactly the running mean, under scales that are not 0: the norm gives its bias."""
    layer, x = FusedBatchInstanceNorm2d(3).double().eval(), torch.zeros(4, 3, 5, 2).double().requires_grad_()
    with torch.no_grad():
        layer.bn_bias.fill_(bound)
        layer.in_bias.fill_(bound)
    y = layer(x, low=0.0, high=6.0)
    assert (y == bound).all()
    assert not any(gradient.any() for gradient in torch.autograd.grad(y.sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize(
    ("kind", "other"),
    [(torch.bfloat16, torch.bfloat16), (torch.float64, torch.float32), (torch.float32, torch.bfloat16)],
)
def test_maps_and_residuals_of_other_types_are_those_of_the_plain_layer(kind, other):
    """Half precision has no kernels on a CPU; a residual takes the type of the maps."""
    plain, fused = layers(3)
    x, residual = maps((2, 3, 4, 4)).detach().to(kind), maps((2, 3, 4, 4), seed=3).detach().to(other)
    actual, expected = fused.to(kind)(x, residual), plain.to(kind)(x) + residual
    torch.testing.assert_close(actual, expected, check_dtype=False)


def test_kernels_are_for_plain_tensors_of_known_devices():
    class Marked(torch.Tensor):
        pass

    x = torch.zeros(2, 3, 4, 4)
    assert kernels_for(x) is kernels
    assert kernels_for(x.as_subclass(Marked)) is None
    assert kernels_for(torch.empty(2, 3, 4, 4, device="meta")) is None


def test_maps_on_the_cpu_are_in_the_order_of_its_kernels_and_others_keep_theirs():
    x = torch.zeros(2, 3, 4, 4)
    away = torch.empty(2, 3, 4, 4, device="meta")
    last = away.contiguous(memory_format=torch.channels_last)
    assert dense(x).is_contiguous(memory_format=torch.channels_last)
    assert dense_like(x, x).is_contiguous(memory_format=torch.channels_last)
    assert dense_like(last, away).is_contiguous()
    assert dense_like(away, last).is_contiguous(memory_format=torch.channels_last)


def test_a_layer_that_joins_statistics_tells_the_kernels_so_in_training_alone():
    layer = FusedBatchInstanceNorm2d(3)
    layer.joined = True
    assert layer.fused_inputs()[2].joined
    assert not layer.eval().fused_inputs()[2].joined


def test_a_fused_instance_norm_has_its_own_epsilon():
    x = maps((4, 3, 5, 2))
    fused, plain = FusedInstanceNorm2d(3, eps=0.5).double(), nn.InstanceNorm2d(3, eps=0.5, affine=True).double()
    torch.testing.assert_close(fused(x), plain(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("with_residual", [False, True])
def test_gradients_pass_gradcheck_twice(training, with_residual):
    layer = layers(2)[1].train(training)
    names = [name for name, _ in layer.named_parameters()]

    def forward(x, residual, *parameters):
        scratch = {name: buffer.clone() for name, buffer in layer.named_buffers()}
        values = {**dict(zip(names, parameters, strict=True)), **scratch}
        return functional_call(layer, values, (x, residual), {"low": -0.3, "high": 1.4})

    residual = maps((3, 2, 2, 3), seed=3) if with_residual else None
    inputs = (
        maps((3, 2, 2, 3)),
        residual,
        *(parameter.detach().clone().requires_grad_() for parameter in layer.parameters()),
    )
    assert torch.autograd.gradcheck(forward, inputs)
    assert torch.autograd.gradgradcheck(forward, inputs)


@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("num_images", [4, 1])
def test_on_one_rank_joined_statistics_are_those_of_the_batch(with_residual, num_images):
    """Several ranks: tests/engine/test_ranks.py."""
    outcomes = []
    shape = (num_images, 6, 5, 3)
    for joined in (False, True):
        layer, x, residual = layers(6)[1], maps(shape), maps(shape, seed=3)
        layer.joined = joined
        y = layer(x, residual if with_residual else None, low=0.0)
        outcomes.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]), *layer.buffers()])
    for value, expected in zip(*outcomes[::-1], strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-11)


def test_only_differentiated_gradients_are_computed_without_the_kernels(monkeypatch):
    called = []
    backward = kernels.backward
    monkeypatch.setattr(kernels, "backward", lambda *args, **kwargs: called.append(1) or backward(*args, **kwargs))
    layer, x = layers(4)[1].float(), maps((3, 4, 5, 2), torch.float32)
    torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()), create_graph=True)
    assert not called
    torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    assert called


def test_float32_is_as_exact_as_torchs_own_normalisation_far_from_zero():
    """Where the mean is a thousand deviations, a one-pass variance has no correct digit left."""
    x = torch.randn(8, 6, 64, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1000
    plain, fused = layers(6)
    expected = plain(x)
    errors = [(layer.float()(x.float()).double() - expected).abs().max().item() for layer in (plain, fused)]
    assert errors[1] < 2 * errors[0]


@pytest.mark.parametrize("clip", CLIPS, ids=str)
def test_the_instance_norm_is_torchs(clip):
    plain, fused = nn.InstanceNorm2d(5, affine=True).double(), FusedInstanceNorm2d(5).double()
    with torch.no_grad():
        plain.weight.normal_(), plain.bias.normal_()
    fused.load_state_dict(plain.state_dict())
    x, x_fused = maps((3, 5, 6, 4)), maps((3, 5, 6, 4))
    expected, actual = clipped(plain, x, *clip), fused.eval()(x_fused, low=clip[0], high=clip[1])
    expected.square().sum().backward(), actual.square().sum().backward()
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(x_fused.grad, x.grad)
    torch.testing.assert_close(fused.weight.grad, plain.weight.grad)
    torch.testing.assert_close(fused.bias.grad, plain.bias.grad)


@pytest.mark.parametrize("norm", [FusedBatchInstanceNorm2d(5), nn.BatchNorm2d(5), FusedInstanceNorm2d(5)])
@pytest.mark.parametrize(("ceiling", "activation"), [(math.inf, F.relu), (6.0, F.relu6), (0.5, None)])
def test_norm_relu_is_the_norm_and_then_the_activation(norm, ceiling, activation):
    x, residual = maps((3, 5, 6, 4), torch.float32) * 5, maps((3, 5, 6, 4), torch.float32, seed=2)
    expected = activation(norm(x)) if activation else norm(x).clamp(0, ceiling)
    torch.testing.assert_close(norm_relu(norm, x, ceiling=ceiling), expected)
    z = norm(x) + residual
    expected = activation(z) if activation else z.clamp(0, ceiling)
    torch.testing.assert_close(norm_relu(norm, x, residual, ceiling=ceiling), expected)


# what `clip` computes, in torch's own operations out of place
ACTIVATIONS = [((0.0, math.inf), F.relu), ((0.0, 6.0), F.relu6), ((-0.25, 1.5), lambda y: F.hardtanh(y, -0.25, 1.5))]


@pytest.mark.parametrize("dtype", [*TOLERANCE, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("bounds", "activation"), ACTIVATIONS, ids=["relu", "relu6", "hardtanh"])
def test_a_clip_has_the_bits_of_the_activation_in_value_and_gradient(bounds, activation, dtype):
    low, high = bounds
    values = torch.tensor([low, min(high, 9.0), -math.inf, math.inf, math.nan, -1.0, 0.5, 8.0], dtype=dtype)
    x = torch.cat([values, (torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 4).to(dtype)])
    upstream = torch.randn(len(x), generator=torch.Generator().manual_seed(1)).to(dtype)
    first, second = (x.clone().requires_grad_() for _ in range(2))
    expected, actual = activation(first + 0), clip(second + 0, low, high)
    expected.backward(upstream), actual.backward(upstream)
    assert torch.equal(actual.isnan(), x.isnan())
    assert torch.equal(actual.nan_to_num(), expected.nan_to_num())
    assert torch.equal(second.grad, first.grad)


@pytest.mark.parametrize(("bounds", "activation"), ACTIVATIONS, ids=["relu", "relu6", "hardtanh"])
def test_a_clip_behind_a_norm_passes_gradcheck_twice(bounds, activation):
    norm, x = nn.BatchNorm2d(2).double(), maps((3, 2, 2, 3))

    def forward(x, weight):
        scratch = {name: buffer.clone() for name, buffer in norm.named_buffers()}
        return clip(functional_call(norm, {"weight": weight, **scratch}, (x,)), *bounds)

    inputs = x, norm.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(forward, inputs)
    assert torch.autograd.gradgradcheck(forward, inputs)


@pytest.mark.parametrize(("bounds", "activation"), ACTIVATIONS, ids=["relu", "relu6", "hardtanh"])
def test_a_clip_works_in_place_and_saves_only_its_output(bounds, activation):
    y, saved = nn.BatchNorm2d(5)(maps((3, 5, 6, 4), torch.float32)), []
    place = y.data_ptr()
    with saved_tensors_hooks(lambda tensor: saved.append(tensor.data_ptr()) or tensor.detach(), lambda tensor: tensor):
        assert clip(y, *bounds).data_ptr() == place
    assert saved == [place]


def test_a_forward_pass_without_a_backward_pass_leaves_nothing_in_memory():
    x, norm = maps((3, 5, 6, 4), torch.float32), nn.BatchNorm2d(5)
    with recompute_norms():
        y = norm_relu(norm, x)
        alive, total = weakref.ref(y), y.sum()
    del y, total
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("norm", [FusedBatchInstanceNorm2d(5), FusedInstanceNorm2d(5)])
def test_a_type_that_the_kernels_do_not_support_uses_the_plain_equation(norm):
    x = maps((3, 5, 6, 4), torch.float32)
    norm.eval()  # leaves the running statistics alone
    actual = norm_relu(norm.to(torch.bfloat16), x.bfloat16())
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.float(), norm_relu(norm.float(), x), atol=0.05, rtol=0.05)


def test_a_sum_with_a_residual_is_saved_and_leaves_nothing_in_memory(monkeypatch):
    """It cannot be recomputed from x alone."""
    norm, conv = layers(5, torch.float32)[1], nn.Conv2d(5, 4, 3)
    x, residual = maps((2, 5, 9, 8), torch.float32), maps((2, 5, 9, 8), torch.float32, seed=2)
    expected = torch.autograd.grad(conv(norm_relu(norm, x, residual)).square().sum(), [x, residual, conv.weight])
    with recompute_norms():
        y = norm_relu(norm, x, residual)
        loss = conv(y).square().sum()
    monkeypatch.setattr(kernels, "forward", None)  # not called
    actual = torch.autograd.grad(loss, [x, residual, conv.weight])
    for gradient, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(gradient, other)
    alive = weakref.ref(y)
    del y, loss
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("second_order", [False, True])
def test_outputs_are_recomputed_for_the_backward_pass_with_the_same_gradients(second_order, monkeypatch):
    computed, forward = [], kernels.forward
    monkeypatch.setattr(kernels, "forward", lambda *args: computed.append(1) or forward(*args))
    first, norm, second = nn.Conv2d(3, 5, 3), layers(5, torch.float32)[1], nn.Conv2d(5, 4, 3)
    x, weights = maps((2, 3, 9, 8), torch.float32), [first.weight, second.weight]

    def gradients():
        loss = second(norm_relu(norm, first(x))).square().sum()
        slopes = torch.autograd.grad(loss, weights, create_graph=second_order)
        return torch.autograd.grad(sum(g.square().sum() for g in slopes), weights) if second_order else slopes

    expected = gradients()
    assert len(computed) == 1
    with recompute_norms():
        actual = gradients()
    assert len(computed) > 2
    for gradient, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(gradient, other)


def test_results_do_not_depend_on_the_number_of_threads():
    x, layer = maps((6, 5, 20, 9), torch.float32), layers(5, torch.float32)[1]
    actual = []
    for num_threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(num_threads)
        try:
            y = layer(x)
            actual.append((y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])))
        finally:
            torch.set_num_threads(before)
    assert all(torch.equal(first, second) for first, second in zip(*actual, strict=True))


def test_the_kernels_leave_torchs_number_of_threads_alone():
    """numba starts its threads when the kernels are imported, which is when the first map arrives."""
    program = """
import torch
torch.set_num_threads(1)
from metabin.model.fused.layers import FusedBatchInstanceNorm2d
FusedBatchInstanceNorm2d(3)(torch.randn(2, 3, 4, 4))
print(torch.get_num_threads())
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output == "1\n"


def test_nan_stays_nan():
    x = torch.full((2, 5, 3, 2), math.nan)
    assert norm_relu(FusedBatchInstanceNorm2d(5), x).isnan().all()


@pytest.mark.parametrize("layer", [FusedBatchInstanceNorm2d(3), FusedInstanceNorm2d(3)])
def test_a_map_of_one_pixel_has_no_variance_and_is_refused(layer):
    with pytest.raises(ValueError, match=r"more than one pixel, found a map of shape \(4, 3, 1, 1\)"):
        layer(torch.randn(4, 3, 1, 1))
