"""The Triton kernels equal the plain equation: compiled on CUDA, else interpreted on CPU tensors (see conftest)."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from metabin.model.fused import function, layers
from metabin.model.fused.layers import FusedBatchInstanceNorm2d, norm_relu
from metabin.model.norm import BatchInstanceNorm2d

kernels = pytest.importorskip("metabin.model.fused.cuda.kernels", exc_type=ModuleNotFoundError)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CLIPS = [(-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0)]
# one image; few and many channels, of which no number is a power of two; pixels that no tile divides
SHAPES = [(1, 3, 5, 2), (3, 37, 13, 11), (2, 130, 4, 3)]
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


@pytest.fixture
def fused(monkeypatch):
    """A layer that uses these kernels, and the plain one, with the same random state."""
    for module in (function, layers):
        monkeypatch.setattr(module, "kernels_for", lambda x: kernels)
    # as on CUDA, where a contiguous map stays one
    monkeypatch.setattr(function, "dense", lambda x: x)
    monkeypatch.setattr(function, "dense_like", lambda x, like: x.contiguous(memory_format=memory_order(like)))

    def make(num_channels, dtype):
        generator = torch.Generator().manual_seed(0)
        plain = BatchInstanceNorm2d(num_channels).to(dtype)
        state = {
            name: torch.rand(value.shape, generator=generator, dtype=dtype) + (0 if name == "rho" else 0.5)
            for name, value in plain.state_dict().items()
        }
        plain.load_state_dict(state)
        layer = FusedBatchInstanceNorm2d(num_channels).to(dtype)
        layer.load_state_dict(state)
        return plain.to(DEVICE), layer.to(DEVICE)

    return make


def memory_order(x):
    return torch.contiguous_format if x.is_contiguous() else torch.channels_last


def maps(shape, dtype, layout, seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64) * 2 + 0.7
    return values.to(DEVICE, dtype).contiguous(memory_format=LAYOUTS[layout])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_on_one_rank_joined_statistics_are_those_of_the_batch(fused, layout):
    outcomes = []
    for joined in (False, True):
        layer = fused(37, torch.float64)[1]
        layer.joined = joined
        x = maps((3, 37, 13, 11), torch.float64, layout, seed=1).requires_grad_()
        y = layer(x, low=0.0)
        outcomes.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]), *layer.buffers()])
    for value, expected in zip(*outcomes[::-1], strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-11)


def compare(actual, expected, tolerance, what):
    scale = expected.abs().max().item() + 1e-30
    difference = (actual.double() - expected.double()).abs().max().item() / scale
    assert difference < tolerance, f"{what} differs by {difference:.1e} of its largest value"


# relative to the largest value, against float64
TOLERANCE = {torch.float64: 1e-12, torch.float32: 3e-6, torch.bfloat16: 2e-2}


# clip, training, residual: each value with each other one
CASES = {
    "plain": (CLIPS[0], True, False),
    "relu": (CLIPS[1], True, False),
    "residual and relu": (CLIPS[1], True, True),
    "evaluation, residual and two bounds": (CLIPS[2], False, True),
}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_kernels_equal_the_plain_equation_in_float64(fused, shape, case, dtype, layout):
    clip, training, with_residual = CASES[case]
    norm_dtype = torch.float32 if dtype == torch.bfloat16 else dtype
    plain, layer = fused(shape[1], norm_dtype)
    x, residual, upstream = (maps(shape, dtype, layout, seed) for seed in range(3))
    inputs = [x, residual] if with_residual else [x]
    # contiguous: of one image in channels-last order, torch's instance_norm has wrong gradients of its affine
    expected_inputs = [value.double().contiguous().requires_grad_() for value in inputs]
    actual_inputs = [value.requires_grad_() for value in inputs]
    low, high = clip
    z = plain.double().train(training)(expected_inputs[0])
    if with_residual:
        z = z + expected_inputs[1]
    expected = z.clamp(low, high)
    actual = layer.train(training)(*actual_inputs, low=low, high=high)
    assert actual.dtype == dtype
    assert actual.stride() == x.stride()
    # The gradient where the clip of a rounded y passes it: without values near a bound, the same.
    upstream = torch.where(near_bound(z, clip), 0, upstream.double())
    expected.backward(upstream)
    actual.backward(upstream.to(dtype))
    tolerance = TOLERANCE[dtype]
    compare(actual, expected, tolerance, "y")
    for name, value, other in zip(("dx", "d residual"), actual_inputs, expected_inputs, strict=False):
        compare(value.grad, other.grad, tolerance, name)
    for (name, value), (_, other) in zip(layer.named_parameters(), plain.named_parameters(), strict=True):
        assert value.grad.dtype == norm_dtype
        compare(value.grad, other.grad, 5 * tolerance, f"d {name}")
    for (name, value), (_, other) in zip(layer.named_buffers(), plain.named_buffers(), strict=True):
        compare(value, other, min(tolerance, 3e-6), name)


def test_the_programs_compile_for_an_h100_and_read_16_bytes_at_a_time():
    script = Path(__file__).parent / "compile_triton.py"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = str(script.parents[2])
    process = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr
    programs = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(programs) == 27
    for program in programs:
        if program["program"] not in ("combine", "gradients"):
            widest = "v2.b64" if program["maps"] == "fp64" else "v4.b32"
            assert program["loads"] == [f"ld.global.{widest}"], program


def near_bound(z, clip):
    return ((z - clip[0]).abs() < 0.05) | ((z - clip[1]).abs() < 0.05)


def test_sums_of_several_chunks_are_merged(fused, monkeypatch):
    monkeypatch.setattr(kernels, "TILE", 64)
    shape, dtype = (2, 5, 17, 9), torch.float64
    x = maps(shape, dtype, "nhwc", 0)
    assert kernels.grid_of(x).num_chunks > 2
    plain, layer = fused(5, dtype)
    first, second = (x.clone().requires_grad_() for _ in range(2))
    expected, actual = plain(first), layer(second)
    torch.testing.assert_close(actual, expected)
    expected.square().sum().backward(), actual.square().sum().backward()
    torch.testing.assert_close(second.grad, first.grad)


def test_far_from_zero_float32_is_as_exact_as_torchs_own_normalisation(fused):
    """Where the mean is a thousand deviations, a one-pass variance has no correct digit left."""
    x = maps((4, 6, 32, 16), torch.float64, "nhwc", 0) + 1000
    plain, layer = fused(6, torch.float64)
    expected = plain(x)
    errors = [(norm.float()(x.float()).double() - expected).abs().max().item() for norm in (plain, layer)]
    assert errors[1] < 2 * errors[0]


def test_gradients_of_gradients_are_those_of_the_plain_equation(fused):
    plain, layer = fused(3, torch.float64)
    gradients = []
    for norm in (plain, layer):
        x = maps((2, 3, 4, 3), torch.float64, "nhwc", 0).requires_grad_()
        parameters = [x, *norm.parameters()]
        first = torch.autograd.grad(norm(x).square().sum(), parameters, create_graph=True)
        gradients.append(torch.autograd.grad(sum(g.square().sum() for g in first), parameters))
    for actual, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(actual, expected)


def test_nan_stays_nan(fused):
    x = maps((2, 5, 3, 2), torch.float32, "nhwc", 0) * math.nan
    assert norm_relu(fused(5, torch.float32)[1], x).isnan().all()


def test_other_memory_orders_are_refused_by_the_kernels():
    x = torch.zeros(2, 3, 4, 5, device=DEVICE).transpose(2, 3)
    with pytest.raises(ValueError, match="expected contiguous or channels-last maps, found strides"):
        kernels.grid_of(x)
