"""Passes over the pixels of feature maps, in Triton.

A program handles a tile of pixels and channels of one image. Where an image has many pixels, chunks
of them go to different programs; each writes its own sums, which `channels` merges. No program adds
to another's result, so that the same input gives the same bits.

In the comments, n is an image, p a pixel and c a channel. The notation and the derivations are
those of `metabin.model.fused.interface`.
"""

from typing import Any

import triton
import triton.language as tl

program: Any = triton.jit  # untyped: a type checker refuses numbers for constants


@program
def moments(
    x,
    mean,
    square,
    stride_n,
    stride_c,
    stride_p,
    num_channels,
    num_pixels,
    chunk,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
    TYPE: tl.constexpr,
):
    """Write the mean and the sum of squared deviations of one chunk of an image."""
    n = tl.program_id(0).to(tl.int64)
    s = tl.program_id(1)
    c = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    first = s * chunk
    last = tl.minimum(first + chunk, num_pixels)
    chunk_mean = tl.zeros([BLOCK_C], TYPE)
    chunk_square = tl.zeros([BLOCK_C], TYPE)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)
        inside = (p[:, None] < last) & (c[None, :] < num_channels)
        at = n * stride_n + p[:, None] * stride_p + c[None, :] * stride_c
        values = tl.load(x + at, mask=inside, other=0.0).to(TYPE)
        # the mean of the tile, and its deviations from that
        size = (tl.minimum(start + BLOCK_P, last) - start).to(TYPE)
        tile_mean = tl.sum(values, axis=0) / size
        centred = tl.where(inside, values - tile_mean[None, :], 0.0)
        tile_square = tl.sum(centred * centred, axis=0)
        # merged as in Chan et al. 1979: share = size / pixels so far
        before = (start - first).to(TYPE)
        share = size / (before + size)
        d = tile_mean - chunk_mean
        chunk_mean += d * share
        chunk_square += tile_square + d * d * share * before
    at = (s * tl.num_programs(0) + n) * num_channels + c
    tl.store(mean + at, chunk_mean, mask=c < num_channels)
    tl.store(square + at, chunk_square, mask=c < num_channels)


@program
def forward(
    x,
    residual,
    mean,
    scale,
    shift,
    y,
    stride_n,
    stride_c,
    stride_p,
    num_channels,
    num_pixels,
    LOW: tl.constexpr,
    HIGH: tl.constexpr,
    HAS_RESIDUAL: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
    TYPE: tl.constexpr,
):
    """Write one tile of y."""
    n = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1) * BLOCK_P + tl.arange(0, BLOCK_P)
    c = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    valid = c < num_channels
    inside = (p[:, None] < num_pixels) & valid[None, :]
    at = n * stride_n + p[:, None] * stride_p + c[None, :] * stride_c
    per_image = n * num_channels + c
    centred = tl.load(x + at, mask=inside, other=0.0).to(TYPE)
    centred -= tl.load(mean + per_image, mask=valid, other=0.0)[None, :]
    # z = scale (x - m_n) + shift + residual;  y = min(max(z, low), high)
    z = tl.load(scale + per_image, mask=valid, other=0.0)[None, :] * centred
    z += tl.load(shift + per_image, mask=valid, other=0.0)[None, :]
    if HAS_RESIDUAL:
        z += tl.load(residual + at, mask=inside, other=0.0).to(TYPE)
    z = tl.where(z < LOW, LOW, z)  # comparisons in this order keep a NaN
    z = tl.where(z > HIGH, HIGH, z)
    tl.store(y + at, z.to(y.dtype.element_ty), mask=inside)


@program
def backward_sums(
    x,
    grad,
    mean,
    scale,
    shift,
    sum0,
    sum1,
    stride_n,
    stride_c,
    stride_p,
    num_channels,
    num_pixels,
    chunk,
    LOW: tl.constexpr,
    HIGH: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
    TYPE: tl.constexpr,
):
    """Write sum_p g and sum_p g (x - m_n) of one chunk of an image."""
    n = tl.program_id(0).to(tl.int64)
    s = tl.program_id(1)
    c = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    valid = c < num_channels
    per_image = n * num_channels + c
    image_mean = tl.load(mean + per_image, mask=valid, other=0.0)[None, :]
    scales = tl.load(scale + per_image, mask=valid, other=0.0)[None, :]
    shifts = tl.load(shift + per_image, mask=valid, other=0.0)[None, :]
    first = s * chunk
    last = tl.minimum(first + chunk, num_pixels)
    total0 = tl.zeros([BLOCK_C], TYPE)
    total1 = tl.zeros([BLOCK_C], TYPE)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)
        inside = (p[:, None] < last) & valid[None, :]
        at = n * stride_n + p[:, None] * stride_p + c[None, :] * stride_c
        centred = tl.load(x + at, mask=inside, other=0.0).to(TYPE) - image_mean
        # g = grad where low < z < high, else 0
        z = scales * centred + shifts
        g = tl.load(grad + at, mask=inside, other=0.0).to(TYPE)
        g = tl.where((z > LOW) & (z < HIGH), g, 0.0)
        total0 += tl.sum(g, axis=0)
        total1 += tl.sum(g * centred, axis=0)
    at = (s * tl.num_programs(0) + n) * num_channels + c
    tl.store(sum0 + at, total0, mask=valid)
    tl.store(sum1 + at, total1, mask=valid)


@program
def backward(
    x,
    grad,
    mean,
    scale,
    shift,
    slope,
    offset,
    dx,
    stride_n,
    stride_c,
    stride_p,
    num_channels,
    num_pixels,
    LOW: tl.constexpr,
    HIGH: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
    TYPE: tl.constexpr,
):
    """Write one tile of dx = scale g + slope (x - m_n) + offset."""
    n = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1) * BLOCK_P + tl.arange(0, BLOCK_P)
    c = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    valid = c < num_channels
    inside = (p[:, None] < num_pixels) & valid[None, :]
    at = n * stride_n + p[:, None] * stride_p + c[None, :] * stride_c
    per_image = n * num_channels + c
    scales = tl.load(scale + per_image, mask=valid, other=0.0)[None, :]
    centred = tl.load(x + at, mask=inside, other=0.0).to(TYPE)
    centred -= tl.load(mean + per_image, mask=valid, other=0.0)[None, :]
    # g = grad where low < z < high, else 0
    z = scales * centred + tl.load(shift + per_image, mask=valid, other=0.0)[None, :]
    g = tl.load(grad + at, mask=inside, other=0.0).to(TYPE)
    g = tl.where((z > LOW) & (z < HIGH), g, 0.0)
    result = scales * g
    result += tl.load(slope + per_image, mask=valid, other=0.0)[None, :] * centred
    result += tl.load(offset + per_image, mask=valid, other=0.0)[None, :]
    tl.store(dx + at, result.to(dx.dtype.element_ty), mask=inside)
