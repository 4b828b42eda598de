"""The device of tensor operations, their number of threads and their precision."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from metabin.config import Compute
from metabin.errors import ConfigError, MemoryLimitError

if TYPE_CHECKING:
    import torch

# In messages of errors that are plain RuntimeErrors: torch's allocator on Linux and on Windows, and
# libraries of CUDA that allocate by themselves.
NO_MEMORY = ("can't allocate memory", "not enough memory", "ALLOC_FAILED")
# options of mallopt in glibc's malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def prepare(compute: Compute) -> torch.device:
    """Set the number of threads of tensor operations, and return the device.

    "auto" is CUDA if a CUDA device is available. With one thread on a CPU, equal seeds give equal
    bits. On CUDA, cuDNN is limited to deterministic algorithms, and "float32" is IEEE float32:
    TF32, torch's default in convolutions, must be chosen as the precision "tf32".

    Raises:
        ConfigError: "cuda" without a CUDA device, or a precision that the CUDA device does not
            have.
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


def find_device(name: str) -> torch.device:
    """Return a device by its name, as "cpu" or "cuda:1"; "auto" is CUDA if there is one.

    Raises:
        ConfigError: the name is unknown, or torch does not find that device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(
            f"the device is {name!r}; expected is auto, cpu, cuda or cuda:0"
        ) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ConfigError(f"the device is {name}, but torch finds {count} CUDA devices; use auto")
    return device


@contextmanager
def memory_limit(content: str, remedy: str) -> Iterator[None]:
    """Report a lack of memory in the block with what to do about it.

    Args:
        content: what the memory must hold, such as "a batch of 64 images".
        remedy: what to do, such as "lower --batch-size".

    Raises:
        MemoryLimitError: the block ran out of memory.
    """
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        is_known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not is_known and not any(words in str(error) for words in NO_MEMORY):
            raise
        reason = str(error).partition("\n")[0][:200] or "no memory left"
        raise MemoryLimitError(f"{content} does not fit into memory ({reason}); {remedy}") from None


def _prepare_cuda(precision: str) -> None:
    """Set the precision of torch's CUDA operations, and limit cuDNN to deterministic algorithms.

    "tf32" holds for convolutions only: distances and logits are matrix products, and stay in
    float32.
    """
    import torch

    if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError(
            "compute.precision is bfloat16, "
            f"which {torch.cuda.get_device_name()} does not have; use float32"
        )
    if precision == "tf32" and not torch.cuda.is_tf32_supported():
        raise ConfigError(
            "compute.precision is tf32, "
            f"which {torch.cuda.get_device_name()} does not have; use float32"
        )
    # torch.compile sets the precision of each operation, which then hides that of all of them.
    cudnn: Any = torch.backends.cudnn
    for setting in (cudnn, cudnn.conv, cudnn.rnn):
        setting.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False  # it would choose algorithms by their time


def _keep_freed_memory() -> None:
    """Let the C library keep the memory that tensors have freed, if it is glibc.

    By default it returns every block above 32 MB to the system, and the maps of the next step are
    paged in again. That takes an eighth of the time of a step on a CPU, measured with the networks
    of benchmarks/step.py.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(option, 2**31 - 1)
