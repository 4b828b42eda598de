"""Passes over the pixels of feature maps (N, P, C), compiled by numba.

Each image belongs to one thread, so results do not depend on the number of threads. Sums are taken
over blocks of pixels, and the variance of a block around the block's mean, so that float32 is as
exact as torch's two passes.

In the comments, n is an image, p a pixel and c a channel. The notation and the derivations are
those of `metabin.model.fused.interface`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

BLOCK = 64  # pixels whose maps stay in the cache between two passes over them

# "contract" permits one instruction for a product and a sum (FMA), and no reordering of sums.
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, parallel=True)


@compiled
def moments(x: np.ndarray, mean: np.ndarray, var: np.ndarray) -> None:
    # Blocks of pixels are merged as in Chan et al. 1979. Until its division at the end, var holds
    # the sum of squared deviations, sum_p (x_p - mean)^2, of the pixels so far.
    num_images, num_pixels, num_channels = x.shape
    for n in prange(num_images):
        block_mean = np.empty(num_channels, x.dtype)
        block_sum = np.empty(num_channels, x.dtype)
        mean[n] = 0
        var[n] = 0
        for start in range(0, num_pixels, BLOCK):
            stop = min(start + BLOCK, num_pixels)
            size = x.dtype.type(stop - start)
            block_mean[:] = 0
            block_sum[:] = 0
            # block_mean = 1 / size * sum_p x_p
            for p in range(start, stop):
                for c in range(num_channels):
                    block_mean[c] += x[n, p, c]
            for c in range(num_channels):
                block_mean[c] /= size
            # block_sum = sum_p (x_p - block_mean)^2
            for p in range(start, stop):
                for c in range(num_channels):
                    block_sum[c] += (x[n, p, c] - block_mean[c]) ** 2
            # d = block_mean - mean,  share = size / stop, the block's share of the pixels so far
            # mean += d * share
            # var  += block_sum + d^2 * share * start
            share = size / x.dtype.type(stop)
            for c in range(num_channels):
                d = block_mean[c] - mean[n, c]
                mean[n, c] += d * share
                var[n, c] += block_sum[c] + d * d * share * x.dtype.type(start)
        # the biased variance: var /= P
        for c in range(num_channels):
            var[n, c] /= x.dtype.type(num_pixels)


@compiled
def forward(
    x: np.ndarray,
    residual: np.ndarray | None,
    mean: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    low: float,
    high: float,
    y: np.ndarray,
) -> None:
    num_images, num_pixels, num_channels = x.shape
    for n in prange(num_images):
        for p in range(num_pixels):
            for c in range(num_channels):
                # z = scale * (x - mean) + shift + residual;  y = min(max(z, low), high)
                z = scale[n, c] * (x[n, p, c] - mean[n, c]) + shift[n, c]
                if residual is not None:  # decided when numba compiles for the arguments' types
                    z += residual[n, p, c]
                z = low if z < low else z  # comparisons in this order keep a NaN
                y[n, p, c] = high if z > high else z


@compiled
def backward_sums(
    x: np.ndarray,
    grad: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    low: float,
    high: float,
    sum0: np.ndarray,
    sum1: np.ndarray,
) -> None:
    num_images, num_pixels, num_channels = x.shape
    for n in prange(num_images):
        block0 = np.empty(num_channels, x.dtype)
        block1 = np.empty(num_channels, x.dtype)
        sum0[n] = 0
        sum1[n] = 0
        # Blocks are summed first, so that rounding errors stay small.
        for start in range(0, num_pixels, BLOCK):
            block0[:] = 0
            block1[:] = 0
            for p in range(start, min(start + BLOCK, num_pixels)):
                for c in range(num_channels):
                    # z = scale * (x - mean) + shift;  g = grad where low < z < high, else 0
                    centred = x[n, p, c] - mean[n, c]
                    z = scale[n, c] * centred + shift[n, c]
                    g = grad[n, p, c] if (z > low) & (z < high) else x.dtype.type(0)
                    block0[c] += g  # sum0 = sum_p g
                    block1[c] += g * centred  # sum1 = sum_p g (x - mean)
            for c in range(num_channels):
                sum0[n, c] += block0[c]
                sum1[n, c] += block1[c]


@compiled
def backward(
    x: np.ndarray,
    grad: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    low: float,
    high: float,
    slope: np.ndarray,
    offset: np.ndarray,
    dx: np.ndarray,
) -> None:
    num_images, num_pixels, num_channels = x.shape
    for n in prange(num_images):
        for p in range(num_pixels):
            for c in range(num_channels):
                # dx = scale * g + slope * (x - mean) + offset
                centred = x[n, p, c] - mean[n, c]
                z = scale[n, c] * centred + shift[n, c]
                g = grad[n, p, c] if (z > low) & (z < high) else x.dtype.type(0)
                dx[n, p, c] = scale[n, c] * g + slope[n, c] * centred + offset[n, c]
