"""The flags that `compute.prepare` sets on a CUDA device; they exist without a device."""

import pytest
import torch

from metabin import compute
from metabin.config import Compute
from metabin.errors import ConfigError

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def settings(precision, device="auto"):
    return Compute(device=device, devices=1, nodes=1, statistics="global", num_threads=1, precision=precision)


def flags():
    """(precision of convolutions, of matrix products, cuDNN's deterministic mode, cuDNN's choice by timing)."""
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    return cudnn.conv.fp32_precision, cuda.matmul.fp32_precision, cudnn.deterministic, cudnn.benchmark


@pytest.fixture(autouse=True)
def defaults():
    """torch's own defaults before each test and after it."""

    def reset():
        torch.backends.cudnn.fp32_precision = "none"
        torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.rnn.fp32_precision = "tf32"
        torch.backends.cuda.matmul.fp32_precision = "none"
        torch.backends.cudnn.deterministic = torch.backends.cudnn.benchmark = False

    reset()
    yield
    reset()


@pytest.fixture
def device(monkeypatch):
    """A CUDA device by name alone, with every precision."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *args, **kwargs: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")


@pytest.mark.parametrize(("precision", "convolutions"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")])
def test_on_cuda_a_precision_is_what_its_name_says_and_algorithms_repeat_their_bits(precision, convolutions, device):
    torch.backends.cudnn.benchmark = True
    assert compute.prepare(settings(precision)) == torch.device("cuda")
    assert flags() == (convolutions, "ieee", True, False)


def test_a_precision_replaces_that_of_single_operations(device):
    torch.backends.cudnn.conv.fp32_precision = "tf32"  # as torch.compile leaves it
    compute.prepare(settings("float32"))
    assert flags() == ("ieee", "ieee", True, False)
    assert torch.backends.cudnn.rnn.fp32_precision == "ieee"


def test_a_later_precision_replaces_an_earlier_one(device):
    for precision, convolutions in (("tf32", "tf32"), ("float32", "ieee"), ("tf32", "tf32")):
        compute.prepare(settings(precision))
        assert flags() == (convolutions, "ieee", True, False)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_on_a_cpu_every_precision_is_accepted_and_no_flag_of_cuda_is_set(precision):
    before = flags()
    assert compute.prepare(settings(precision, "cpu")) == torch.device("cpu")
    assert flags() == before


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_a_precision_that_the_device_lacks_is_refused_by_the_name_of_the_device(precision, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *args, **kwargs: False)
    with pytest.raises(ConfigError, match=f"compute.precision is {precision}, which Old GPU does not have; use float"):
        compute.prepare(settings(precision))
    compute.prepare(settings("float32"))


def test_a_device_that_only_emulates_bfloat16_is_refused(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    with pytest.raises(ConfigError, match="compute.precision is bfloat16, which Old GPU does not have"):
        compute.prepare(settings("bfloat16"))


@needs_cuda
@pytest.mark.parametrize(("precision", "low", "high"), [("float32", 0.0, 2e-6), ("tf32", 1e-5, 5e-3)])
def test_on_cuda_float32_convolutions_have_the_error_of_float32(precision, low, high):
    compute.prepare(settings(precision))
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=generator).double().cuda() for shape in ((4, 64, 32, 16), (64, 64, 3, 3)))
    expected = torch.nn.functional.conv2d(x, weight)
    error = torch.nn.functional.conv2d(x.float(), weight.float()).double() - expected
    assert low < (error.norm() / expected.norm()).item() < high
