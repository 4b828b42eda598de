"""Where tensors are computed, and with how many threads."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

from metabin.config import Compute
from metabin.errors import ConfigError

if TYPE_CHECKING:
    import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def prepare(compute: Compute) -> torch.device:
    """Set the number of threads of tensor operations and choose the device; "auto" is CUDA where there is one.

    With one thread on a CPU, equal seeds give equal bits. On CUDA, cuDNN is limited to algorithms that repeat
    their bits, and "float32" is IEEE float32: TF32, torch's default in convolutions, is a precision of its own.

    Raises:
        ConfigError: "cuda" where torch finds none, or a precision that the CUDA device lacks.
    """
    import torch

    _keep_freed_memory()
    torch.set_num_threads(compute.num_threads)
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise ConfigError("compute.device is cuda, but torch finds no CUDA device; use auto or cpu")
    device = torch.device("cuda" if available and compute.device != "cpu" else "cpu")
    if device.type == "cuda":
        _prepare_cuda(compute.precision)
    return device


def _prepare_cuda(precision: str) -> None:
    """Set what torch's CUDA operations compute in, and which of cuDNN's algorithms they may use.

    With "tf32", convolutions alone use it: distances and logits are matrix products, and stay in float32.
    """
    import torch

    if precision == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise ConfigError(
            f"compute.precision is bfloat16, which {torch.cuda.get_device_name()} does not have; use float32"
        )
    if precision == "tf32" and not torch.cuda.is_tf32_supported():
        raise ConfigError(f"compute.precision is tf32, which {torch.cuda.get_device_name()} does not have; use float32")
    torch.backends.cudnn.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def _keep_freed_memory() -> None:
    """Let the C library keep what tensors have freed for the next ones, where it is glibc.

    By default it hands every block above 32 MB back to the system, and each map of the next step is paged in anew: an
    eighth of a step's time on a CPU, measured in benchmarks/step.py's networks.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(option, 2**31 - 1)
