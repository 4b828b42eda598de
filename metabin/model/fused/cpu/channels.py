"""The arithmetic between two passes over the maps, on (N, C) arrays, compiled by numba.

The tuples of `metabin.model.fused.interface` hold arrays here. In the comments, n is an image and c
a channel. The notation and the derivations are those of that module. Numbers between two stores are
in double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@compiled
def combine(
    training: bool,
    parameters: Any,
    running: Any,
    momentum: float,
    eps: float,
    num_pixels: float,
    statistics: Any,
) -> None:
    """Fill in the statistics. At first `image_rstd` holds v_n. `running` may have the length 0."""
    mean, scale, shift, deviation, image_rstd, batch_rstd = statistics
    rho, bn_weight, bn_bias, in_weight, in_bias = parameters
    num_images, num_channels = mean.shape
    if training:
        batch_mean, batch_var = batch_statistics(mean, image_rstd)
        if running[0].size:
            move_running(running, batch_mean, batch_var, momentum, num_images * num_pixels)
    else:
        batch_mean, batch_var = running
    for c in range(num_channels):
        batch_rstd[c] = 1 / np.sqrt(batch_var[c] + eps)
    for n in range(num_images):
        for c in range(num_channels):
            d = mean[n, c] - batch_mean[c]
            rstd = 1 / np.sqrt(image_rstd[n, c] + eps)
            batch_scale = rho[c] * bn_weight[c] * batch_rstd[c]
            # scale_n = rho bn_weight s + (1 - rho) in_weight s_n
            scale[n, c] = batch_scale + (1 - rho[c]) * in_weight[c] * rstd
            # shift_n = rho bn_bias + (1 - rho) in_bias + rho bn_weight s d_n
            shift[n, c] = rho[c] * bn_bias[c] + (1 - rho[c]) * in_bias[c] + batch_scale * d
            deviation[n, c] = d
            image_rstd[n, c] = rstd


@compiled
def batch_statistics(mean: np.ndarray, var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return m = mean_n m_n and v = mean_n (v_n + d_n^2)."""
    num_images, num_channels = mean.shape
    count = mean.dtype.type(num_images)
    batch_mean = np.zeros(num_channels, mean.dtype)
    batch_var = np.zeros(num_channels, mean.dtype)
    for n in range(num_images):
        for c in range(num_channels):
            batch_mean[c] += mean[n, c] / count
    for n in range(num_images):
        for c in range(num_channels):
            d = mean[n, c] - batch_mean[c]
            batch_var[c] += (var[n, c] + d * d) / count
    return batch_mean, batch_var


@compiled
def move_running(
    running: Any, batch_mean: np.ndarray, batch_var: np.ndarray, momentum: float, count: float
) -> None:
    """Move the running statistics: r <- r + momentum (statistic - r), the variance unbiased."""
    running_mean, running_var = running
    unbiased = batch_mean.dtype.type(count / (count - 1))
    for c in range(len(batch_mean)):
        running_mean[c] += momentum * (batch_mean[c] - running_mean[c])
        running_var[c] += momentum * (batch_var[c] * unbiased - running_var[c])


@compiled
def gradients(
    training: bool,
    sum0: np.ndarray,
    sum1: np.ndarray,
    statistics: Any,
    parameters: Any,
    num_pixels: float,
    slope: np.ndarray,
    offset: np.ndarray,
    parameter_gradients: Any,
) -> None:
    """Write the gradients of the parameters, and slope and offset of dx."""
    mean, scale, shift, deviation, image_rstd, batch_rstd = statistics
    rho, bn_weight, bn_bias, in_weight, in_bias = parameters
    num_images, num_channels = sum0.shape
    totals = sum_images(sum0, sum1, deviation, image_rstd, batch_rstd)
    write_parameter_gradients(totals, parameters, parameter_gradients)
    total, batch_total, image_total = totals
    for n in range(num_images):
        for c in range(num_channels):
            # through the statistics of the image:
            #   - (1 - rho) in_weight s_n / P (sum0_n + (x - m_n) s_n^2 sum1_n)
            rstd = image_rstd[n, c]
            image_scale = (1 - rho[c]) * in_weight[c] * rstd / num_pixels
            slope[n, c] = -image_scale * rstd * rstd * sum1[n, c]
            offset[n, c] = -image_scale * sum0[n, c]
            if training:
                # through those of the batch, with x - m = (x - m_n) + d_n:
                #   - rho bn_weight s / (P N) (total + (x - m) s batch_total)
                batch_scale = rho[c] * bn_weight[c] * batch_rstd[c] / (num_pixels * num_images)
                batch_slope = -batch_scale * batch_rstd[c] * batch_total[c]
                slope[n, c] += batch_slope
                offset[n, c] += batch_slope * deviation[n, c] - batch_scale * total[c]


@compiled
def sum_images(
    sum0: np.ndarray,
    sum1: np.ndarray,
    deviation: np.ndarray,
    image_rstd: np.ndarray,
    batch_rstd: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return total, batch_total and image_total, (C,) each."""
    num_images, num_channels = sum0.shape
    total = np.zeros(num_channels, sum0.dtype)
    batch_total = np.zeros(num_channels, sum0.dtype)
    image_total = np.zeros(num_channels, sum0.dtype)
    for n in range(num_images):
        for c in range(num_channels):
            total[c] += sum0[n, c]
            batch_total[c] += (sum1[n, c] + sum0[n, c] * deviation[n, c]) * batch_rstd[c]
            image_total[c] += sum1[n, c] * image_rstd[n, c]
    return total, batch_total, image_total


@compiled
def write_parameter_gradients(totals: Any, parameters: Any, parameter_gradients: Any) -> None:
    """Write d rho, d bn_weight, d bn_bias, d in_weight and d in_bias."""
    total, batch_total, image_total = totals
    rho, bn_weight, bn_bias, in_weight, in_bias = parameters
    d_rho, d_bn_weight, d_bn_bias, d_in_weight, d_in_bias = parameter_gradients
    for c in range(len(rho)):
        batch_half = bn_weight[c] * batch_total[c] + bn_bias[c] * total[c]  # sum g y_bn
        image_half = in_weight[c] * image_total[c] + in_bias[c] * total[c]  # sum g y_in
        d_rho[c] = batch_half - image_half
        d_bn_weight[c] = rho[c] * batch_total[c]
        d_bn_bias[c] = rho[c] * total[c]
        d_in_weight[c] = (1 - rho[c]) * image_total[c]
        d_in_bias[c] = (1 - rho[c]) * total[c]
