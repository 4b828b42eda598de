"""The limits of the device: the peak of its arithmetic, and the bandwidth of its memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import Precision, Setting


def rows(setting: Setting) -> Iterator[Row]:
    for precision in setting.precisions:
        what = f"product of two {setting.sizes.matrix:,} x {setting.sizes.matrix:,} matrices"
        yield Row(f"{what}, {precision}", matrix_peak(setting, precision), "TFLOP/s")
    yield Row("copy inside the memory, read and written", bandwidth(setting), "GB/s")


def matrix_peak(setting: Setting, precision: Precision) -> float:
    """Return the TFLOP/s of a large product of random matrices, 2 n^3 operations."""
    setting.prepare(precision)
    size = setting.sizes.matrix
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    left, right = (torch.randn(size, size, device=setting.device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(left)
    flags = torch.backends.cuda.matmul
    before = flags.fp32_precision
    flags.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        milliseconds = setting.device_milliseconds(lambda: torch.mm(left, right, out=out))
    finally:
        flags.fp32_precision = before
    return 2 * size**3 / milliseconds / 1e9


def bandwidth(setting: Setting) -> float:
    """Return the GB/s of a copy of a large tensor; a byte counts when read and when written."""
    source = torch.randn(setting.sizes.copied, device=setting.device)
    target = torch.empty_like(source)
    milliseconds = setting.device_milliseconds(lambda: target.copy_(source))
    return 2 * source.numel() * source.element_size() / milliseconds / 1e6
