"""The arithmetic between two passes over the maps, on (N, C) arrays, compiled by numba.

In the comments, n is an image, p a pixel and c a channel. The notation and the derivations are
those of `metabin.model.fused.interface`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@compiled
def combine(
    training: bool,
    rho: np.ndarray,
    bn_weight: np.ndarray,
    bn_bias: np.ndarray,
    in_weight: np.ndarray,
    in_bias: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    momentum: float,
    eps: float,
    num_pixels: float,
    mean: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    deviation: np.ndarray,
    var: np.ndarray,
    batch_rstd: np.ndarray,
) -> None:
    # var holds v_n at first, and s_n at the end.
    num_images, num_channels = mean.shape
    one = mean.dtype.type(1)
    count = mean.dtype.type(num_images)
    if training:
        batch_mean = np.zeros_like(rho)
        batch_var = np.zeros_like(rho)
        # m = mean_n m_n,  v = mean_n (v_n + d_n^2)
        for n in range(num_images):
            for c in range(num_channels):
                batch_mean[c] += mean[n, c] / count
        for n in range(num_images):
            for c in range(num_channels):
                d = mean[n, c] - batch_mean[c]
                batch_var[c] += (var[n, c] + d * d) / count
        if running_mean.size:
            # r <- r + momentum (statistic - r), with the unbiased variance
            unbiased = count * num_pixels / (count * num_pixels - one)
            for c in range(num_channels):
                running_mean[c] += momentum * (batch_mean[c] - running_mean[c])
                running_var[c] += momentum * (batch_var[c] * unbiased - running_var[c])
    else:
        batch_mean = running_mean
        batch_var = running_var
    for c in range(num_channels):
        batch_rstd[c] = one / np.sqrt(batch_var[c] + eps)
    for n in range(num_images):
        for c in range(num_channels):
            d = mean[n, c] - batch_mean[c]
            image_rstd = one / np.sqrt(var[n, c] + eps)
            batch_scale = rho[c] * bn_weight[c] * batch_rstd[c]
            # scale_n = rho bn_weight s + (1 - rho) in_weight s_n
            scale[n, c] = batch_scale + (one - rho[c]) * in_weight[c] * image_rstd
            # shift_n = rho bn_bias + (1 - rho) in_bias + rho bn_weight s d_n
            shift[n, c] = rho[c] * bn_bias[c] + (one - rho[c]) * in_bias[c] + batch_scale * d
            deviation[n, c] = d
            var[n, c] = image_rstd


@compiled
def gradients(
    training: bool,
    sum0: np.ndarray,
    sum1: np.ndarray,
    deviation: np.ndarray,
    image_rstd: np.ndarray,
    batch_rstd: np.ndarray,
    rho: np.ndarray,
    bn_weight: np.ndarray,
    bn_bias: np.ndarray,
    in_weight: np.ndarray,
    in_bias: np.ndarray,
    num_pixels: float,
    slope: np.ndarray,
    offset: np.ndarray,
    d_rho: np.ndarray,
    d_bn_weight: np.ndarray,
    d_bn_bias: np.ndarray,
    d_in_weight: np.ndarray,
    d_in_bias: np.ndarray,
) -> None:
    num_images, num_channels = sum0.shape
    one = sum0.dtype.type(1)
    total = np.zeros_like(rho)
    batch_total = np.zeros_like(rho)
    image_total = np.zeros_like(rho)
    for n in range(num_images):
        for c in range(num_channels):
            total[c] += sum0[n, c]
            batch_total[c] += (sum1[n, c] + sum0[n, c] * deviation[n, c]) * batch_rstd[c]
            image_total[c] += sum1[n, c] * image_rstd[n, c]
    for c in range(num_channels):
        batch_half = bn_weight[c] * batch_total[c] + bn_bias[c] * total[c]  # sum g y_bn
        image_half = in_weight[c] * image_total[c] + in_bias[c] * total[c]  # sum g y_in
        d_rho[c] = batch_half - image_half
        d_bn_weight[c] = rho[c] * batch_total[c]
        d_bn_bias[c] = rho[c] * total[c]
        d_in_weight[c] = (one - rho[c]) * image_total[c]
        d_in_bias[c] = (one - rho[c]) * total[c]
    for n in range(num_images):
        for c in range(num_channels):
            # through the statistics of the image:
            #   - (1 - rho) in_weight s_n / P (sum0_n + (x - m_n) s_n^2 sum1_n)
            rstd = image_rstd[n, c]
            image_scale = (one - rho[c]) * in_weight[c] * rstd / num_pixels
            slope[n, c] = -image_scale * rstd * rstd * sum1[n, c]
            offset[n, c] = -image_scale * sum0[n, c]
            if training:
                # through those of the batch, with x - m = (x - m_n) + d_n:
                #   - rho bn_weight s / (P N) (total + (x - m) s batch_total)
                batch_scale = rho[c] * bn_weight[c] * batch_rstd[c] / (num_pixels * num_images)
                batch_slope = -batch_scale * batch_rstd[c] * batch_total[c]
                slope[n, c] += batch_slope
                offset[n, c] += batch_slope * deviation[n, c] - batch_scale * total[c]
