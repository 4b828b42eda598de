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

    With one thread, equal seeds give equal bits.

    Raises:
        ConfigError: "cuda" where torch finds none, or "bfloat16" on a CUDA device that lacks it.
    """
    import torch

    _keep_freed_memory()
    torch.set_num_threads(compute.num_threads)
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise ConfigError("compute.device is cuda, but torch finds no CUDA device; use auto or cpu")
    device = torch.device("cuda" if available and compute.device != "cpu" else "cpu")
    if compute.precision == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise ConfigError(
            f"compute.precision is bfloat16, which {torch.cuda.get_device_name()} does not have; use float32"
        )
    return device


def _keep_freed_memory() -> None:
    """Let the C library keep what tensors have freed for the next ones, where it is glibc.

    By default it hands every block above 32 MB back to the system, and each map of the next step is paged in anew: an
    eighth of a step's time on a CPU, measured in benchmarks/step.py's networks.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(option, 2**31 - 1)
