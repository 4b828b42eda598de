"""Kernels of the fused operation for CUDA tensors, by Triton.

They implement `metabin.model.fused.interface.Kernels`.

Maps are tensors (N, C, H, W), contiguous or channels-last, in float32, float64 or half precision.
Statistics, sums and all arithmetic are in float32, or in float64 for float64 maps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from metabin.model.distributed import num_ranks
from metabin.model.fused.cuda import channels, maps
from metabin.model.fused.interface import Parameters, Running, Settings, Statistics
from metabin.model.fused.ranks import add_batch_terms, joined_statistics

TILE = 2048  # elements that a program has in registers at a time
MAX_CHUNKS = 8  # of one image; merging them is a loop
ENOUGH_PROGRAMS = 1024  # about eight per multiprocessor: more chunks do not fill the device better
TYPES = {torch.float32: tl.float32, torch.float64: tl.float64}


class Grid(NamedTuple):
    """The sizes of a map, its strides, and its division among programs."""

    num_images: int
    num_channels: int
    num_pixels: int
    stride_n: int
    stride_c: int
    stride_p: int
    block_c: int  # channels of a tile, a power of two
    block_p: int  # pixels of a tile, a power of two
    chunk: int  # pixels of a program that sums, a multiple of block_p
    num_chunks: int

    @property
    def sizes(self) -> tuple[int, ...]:
        strides = (self.stride_n, self.stride_c, self.stride_p)
        return *strides, self.num_channels, self.num_pixels

    @property
    def programs_that_map(self) -> tuple[int, int, int]:
        pixel_blocks = triton.cdiv(self.num_pixels, self.block_p)
        return self.num_images, pixel_blocks, self._channel_blocks

    @property
    def programs_that_sum(self) -> tuple[int, int, int]:
        return self.num_images, self.num_chunks, self._channel_blocks

    @property
    def programs_that_merge(self) -> tuple[int]:
        return (triton.cdiv(self.num_channels, self.merged_block[1]),)

    @property
    def merged_block(self) -> tuple[int, int]:
        """Return the images (all of them) and channels of a tile of one number each."""
        rows = triton.next_power_of_2(self.num_images)
        return rows, max(1, min(TILE // 2 // rows, 16))

    @property
    def _channel_blocks(self) -> int:
        return triton.cdiv(self.num_channels, self.block_c)


def grid_of(x: Tensor) -> Grid:
    """Return the division of a map among programs. A tile is longest in the contiguous direction.

    Raises:
        ValueError: the map is neither contiguous nor channels-last.
    """
    num_images, num_channels, height, width = x.shape
    num_pixels = height * width
    if x.is_contiguous():
        strides = (num_channels * num_pixels, num_pixels, 1)
        block_p = min(triton.next_power_of_2(num_pixels), TILE // 2)
        block_c = min(triton.next_power_of_2(num_channels), TILE // block_p)
    elif x.is_contiguous(memory_format=torch.channels_last):
        strides = (num_channels * num_pixels, 1, num_channels)
        block_c = min(triton.next_power_of_2(num_channels), 64)
        block_p = min(triton.next_power_of_2(num_pixels), TILE // block_c)
    else:
        raise ValueError(f"expected contiguous or channels-last maps, found strides {x.stride()}")
    programs = num_images * triton.cdiv(num_channels, block_c)
    num_chunks = min(triton.cdiv(ENOUGH_PROGRAMS, programs), MAX_CHUNKS)
    # whole tiles
    chunk = triton.cdiv(triton.cdiv(num_pixels, num_chunks), block_p) * block_p
    return Grid(
        num_images,
        num_channels,
        num_pixels,
        *strides,
        block_c,
        block_p,
        chunk,
        triton.cdiv(num_pixels, chunk),
    )


def on_its_device(kernel: Callable[..., Any]) -> Any:
    """Make the device of the first argument the current one, on which Triton launches."""

    @wraps(kernel)
    def launch(x: Tensor, *arguments: Any, **options: Any) -> Any:
        with torch.cuda.device_of(x):
            return kernel(x, *arguments, **options)

    return launch


@on_its_device
def statistics(
    x: Tensor, parameters: Parameters, running: Running, settings: Settings
) -> Statistics:
    """Implement `Kernels.statistics`."""
    grid = grid_of(x)
    dtype = _sum_type(x)
    n, c = grid.num_images, grid.num_channels
    chunk_mean, chunk_square = x.new_empty((2, grid.num_chunks, n, c), dtype=dtype)
    maps.moments[grid.programs_that_sum](
        x, chunk_mean, chunk_square, *grid.sizes, grid.chunk, **_tile(grid, dtype)
    )

    def combine(running: Running, settings: Settings) -> Statistics:
        per_image = x.new_empty((5, n, c), dtype=dtype).unbind()
        result = Statistics._make((*per_image, x.new_empty(c, dtype=dtype)))
        is_recorded = running.mean is not None
        channels.combine[grid.programs_that_merge](
            chunk_mean,
            chunk_square,
            *parameters,
            *(running if is_recorded else (chunk_mean, chunk_mean)),  # these are not read
            *result,
            *(n, c, grid.num_pixels, grid.chunk, grid.num_chunks),
            **_images(grid, dtype),
            MOMENTUM=settings.momentum,
            EPS=settings.eps,
            TRAINING=settings.training,
            RECORDING=settings.training and is_recorded,
        )
        return result

    if settings.joined:
        return joined_statistics(combine, chunk_mean[0, 0], n * grid.num_pixels, running, settings)
    return combine(running, settings)


@on_its_device
def forward(
    x: Tensor, residual: Tensor | None, statistics: Statistics, settings: Settings
) -> Tensor:
    """Implement `Kernels.forward`."""
    grid = grid_of(x)
    y = torch.empty_like(x)
    maps.forward[grid.programs_that_map](
        x,
        x if residual is None else residual,  # not read without a residual
        *_affine(statistics),
        y,
        *grid.sizes,
        **_tile(grid, _sum_type(x)),
        LOW=settings.low,
        HIGH=settings.high,
        HAS_RESIDUAL=residual is not None,
    )
    return y


@on_its_device
def backward(
    x: Tensor,
    grad: Tensor,
    statistics: Statistics,
    parameters: Parameters,
    settings: Settings,
    *,
    with_dx: bool,
) -> tuple[Tensor | None, Parameters]:
    """Implement `Kernels.backward`."""
    grid = grid_of(x)
    dtype = _sum_type(x)
    n, c = grid.num_images, grid.num_channels
    affine = _affine(statistics)
    options = _tile(grid, dtype) | {"LOW": settings.low, "HIGH": settings.high}
    sum0, sum1 = x.new_empty((2, grid.num_chunks, n, c), dtype=dtype)
    maps.backward_sums[grid.programs_that_sum](
        x, grad, *affine, sum0, sum1, *grid.sizes, grid.chunk, **options
    )
    slope, offset = x.new_empty((2, n, c), dtype=dtype)
    gradients = Parameters(*(torch.empty_like(parameter) for parameter in parameters))
    channels.gradients[grid.programs_that_merge](
        sum0,
        sum1,
        *(statistics.deviation, statistics.image_rstd, statistics.batch_rstd),
        *parameters,
        slope,
        offset,
        *gradients,
        *(n, c, grid.num_pixels, grid.num_chunks),
        **_images(grid, dtype),
        TRAINING=settings.training and not settings.joined,
    )
    if settings.joined:
        sums = sum0.sum(0), sum1.sum(0)  # of the chunks
        num_values = num_ranks() * n * grid.num_pixels
        add_batch_terms(slope, offset, sums, statistics, parameters, num_values)
    if not with_dx:
        return None, gradients
    dx = torch.empty_like(x)
    maps.backward[grid.programs_that_map](
        x, grad, *affine, slope, offset, dx, *grid.sizes, **options
    )
    return dx, gradients


def _sum_type(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _affine(statistics: Statistics) -> tuple[Tensor, Tensor, Tensor]:
    return statistics.mean, statistics.scale, statistics.shift


def _tile(grid: Grid, dtype: torch.dtype) -> dict[str, Any]:
    """Return the constants of a program that passes over the pixels."""
    return {"BLOCK_P": grid.block_p, "BLOCK_C": grid.block_c, "TYPE": TYPES[dtype]}


def _images(grid: Grid, dtype: torch.dtype) -> dict[str, Any]:
    """Return the constants of a program that merges the images of some channels."""
    rows, columns = grid.merged_block
    return {"BLOCK_N": rows, "BLOCK_C": columns, "TYPE": TYPES[dtype]}
