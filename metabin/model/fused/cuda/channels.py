"""The arithmetic between two passes over the maps, on (N, C) tensors, in Triton.

A program handles all images of some channels.

In the comments, n is an image, p a pixel and c a channel. The notation and the derivations are
those of `metabin.model.fused.interface`.
"""

from typing import Any

import triton
import triton.language as tl

program: Any = triton.jit  # untyped: a type checker refuses numbers for constants


@program
def combine(
    chunk_mean,
    chunk_square,
    rho,
    bn_weight,
    bn_bias,
    in_weight,
    in_bias,
    running_mean,
    running_var,
    mean,
    scale,
    shift,
    deviation,
    image_rstd,
    batch_rstd,
    num_images,
    num_channels,
    num_pixels,
    chunk,
    num_chunks,
    MOMENTUM: tl.constexpr,
    EPS: tl.constexpr,
    TRAINING: tl.constexpr,
    RECORDING: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_C: tl.constexpr,
    TYPE: tl.constexpr,
):
    """Merge the chunks of every image, and write the statistics of some channels."""
    n = tl.arange(0, BLOCK_N)[:, None]
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    valid = c < num_channels
    inside = (n < num_images) & valid[None, :]
    at = n * num_channels + c[None, :]
    image_mean = tl.zeros([BLOCK_N, BLOCK_C], TYPE)
    square = tl.zeros([BLOCK_N, BLOCK_C], TYPE)
    for s in range(num_chunks):
        first = s * chunk
        size = (tl.minimum(first + chunk, num_pixels) - first).to(TYPE)
        before = first.to(TYPE)
        share = size / (before + size)
        here = at + s * num_images * num_channels
        d = tl.load(chunk_mean + here, mask=inside, other=0.0) - image_mean
        image_mean += d * share
        square += tl.load(chunk_square + here, mask=inside, other=0.0) + d * d * share * before
    var = square / num_pixels
    if TRAINING:
        # m = mean_n m_n,  v = mean_n (v_n + d_n^2)
        batch_mean = tl.sum(image_mean, axis=0) / num_images
        d = tl.where(inside, image_mean - batch_mean[None, :], 0.0)
        batch_var = tl.sum(var + d * d, axis=0) / num_images
        if RECORDING:
            # r <- r + momentum (statistic - r), with the unbiased variance
            count = (num_images * num_pixels).to(TYPE)
            old_mean = tl.load(running_mean + c, mask=valid).to(TYPE)
            old_var = tl.load(running_var + c, mask=valid).to(TYPE)
            new_var = batch_var * (count / (count - 1))
            tl.store(running_mean + c, old_mean + MOMENTUM * (batch_mean - old_mean), mask=valid)
            tl.store(running_var + c, old_var + MOMENTUM * (new_var - old_var), mask=valid)
    else:
        batch_mean = tl.load(running_mean + c, mask=valid, other=0.0).to(TYPE)
        batch_var = tl.load(running_var + c, mask=valid, other=1.0).to(TYPE)
    rstd = 1 / tl.sqrt(batch_var + EPS)
    image_rstds = 1 / tl.sqrt(var + EPS)
    d = image_mean - batch_mean[None, :]
    balance = tl.load(rho + c, mask=valid, other=0.0).to(TYPE)
    batch_scale = balance * tl.load(bn_weight + c, mask=valid, other=0.0).to(TYPE) * rstd
    image_scale = (1 - balance) * tl.load(in_weight + c, mask=valid, other=0.0).to(TYPE)
    batch_bias = balance * tl.load(bn_bias + c, mask=valid, other=0.0).to(TYPE)
    image_bias = (1 - balance) * tl.load(in_bias + c, mask=valid, other=0.0).to(TYPE)
    # scale_n = rho bn_weight s + (1 - rho) in_weight s_n
    scales = batch_scale[None, :] + image_scale[None, :] * image_rstds
    # shift_n = rho bn_bias + (1 - rho) in_bias + rho bn_weight s d_n
    shifts = (batch_bias + image_bias)[None, :] + batch_scale[None, :] * d
    tl.store(mean + at, image_mean, mask=inside)
    tl.store(scale + at, scales, mask=inside)
    tl.store(shift + at, shifts, mask=inside)
    tl.store(deviation + at, d, mask=inside)
    tl.store(image_rstd + at, image_rstds, mask=inside)
    tl.store(batch_rstd + c, rstd, mask=valid)


@program
def gradients(
    sum0,
    sum1,
    deviation,
    image_rstd,
    batch_rstd,
    rho,
    bn_weight,
    bn_bias,
    in_weight,
    in_bias,
    slope,
    offset,
    d_rho,
    d_bn_weight,
    d_bn_bias,
    d_in_weight,
    d_in_bias,
    num_images,
    num_channels,
    num_pixels,
    num_chunks,
    TRAINING: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_C: tl.constexpr,
    TYPE: tl.constexpr,
):
    """Write the gradients of the parameters of some channels, and slope and offset of dx."""
    n = tl.arange(0, BLOCK_N)[:, None]
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    valid = c < num_channels
    inside = (n < num_images) & valid[None, :]
    at = n * num_channels + c[None, :]
    image0 = tl.zeros([BLOCK_N, BLOCK_C], TYPE)
    image1 = tl.zeros([BLOCK_N, BLOCK_C], TYPE)
    for s in range(num_chunks):
        here = at + s * num_images * num_channels
        image0 += tl.load(sum0 + here, mask=inside, other=0.0)
        image1 += tl.load(sum1 + here, mask=inside, other=0.0)
    d = tl.load(deviation + at, mask=inside, other=0.0)
    image_rstds = tl.load(image_rstd + at, mask=inside, other=0.0)
    rstd = tl.load(batch_rstd + c, mask=valid, other=0.0)
    balance = tl.load(rho + c, mask=valid, other=0.0).to(TYPE)
    batch_weight = tl.load(bn_weight + c, mask=valid, other=0.0).to(TYPE)
    batch_bias = tl.load(bn_bias + c, mask=valid, other=0.0).to(TYPE)
    image_weight = tl.load(in_weight + c, mask=valid, other=0.0).to(TYPE)
    image_bias = tl.load(in_bias + c, mask=valid, other=0.0).to(TYPE)
    total = tl.sum(image0, axis=0)
    batch_total = tl.sum(image1 + image0 * d, axis=0) * rstd
    image_total = tl.sum(image1 * image_rstds, axis=0)
    batch_half = batch_weight * batch_total + batch_bias * total  # sum g y_bn
    image_half = image_weight * image_total + image_bias * total  # sum g y_in
    tl.store(d_rho + c, batch_half - image_half, mask=valid)
    tl.store(d_bn_weight + c, balance * batch_total, mask=valid)
    tl.store(d_bn_bias + c, balance * total, mask=valid)
    tl.store(d_in_weight + c, (1 - balance) * image_total, mask=valid)
    tl.store(d_in_bias + c, (1 - balance) * total, mask=valid)
    # through the statistics of the image:
    #   - (1 - rho) in_weight s_n / P (sum0_n + (x - m_n) s_n^2 sum1_n)
    image_scale = ((1 - balance) * image_weight / num_pixels)[None, :] * image_rstds
    slopes = -image_scale * image_rstds * image_rstds * image1
    offsets = -image_scale * image0
    if TRAINING:
        # through those of the batch, with x - m = (x - m_n) + d_n:
        #   - rho bn_weight s / (P N) (total + (x - m) s batch_total)
        batch_scale = balance * batch_weight * rstd / (num_pixels * num_images)
        batch_slope = -batch_scale * rstd * batch_total
        slopes += batch_slope[None, :]
        offsets += batch_slope[None, :] * d - (batch_scale * total)[None, :]
    tl.store(slope + at, slopes, mask=inside)
    tl.store(offset + at, offsets, mask=inside)
