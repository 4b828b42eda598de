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
    c, valid, at, inside = locate(num_images, num_channels, BLOCK_N, BLOCK_C)
    plane = num_images * num_channels
    image_mean, var = merge_chunks(
        chunk_mean, chunk_square, at, inside, plane, num_pixels, chunk, num_chunks
    )
    if TRAINING:
        batch_mean, batch_var = batch_statistics(image_mean, var, inside, num_images)
        if RECORDING:
            num_values = num_images * num_pixels
            unbiased_var = batch_var * num_values / (num_values - 1)
            move(running_mean + c, batch_mean, MOMENTUM, valid)
            move(running_var + c, unbiased_var, MOMENTUM, valid)
    else:
        batch_mean = read(running_mean + c, valid, TYPE)
        batch_var = read(running_var + c, valid, TYPE)
    rstd = 1 / tl.sqrt(batch_var + EPS)
    image_rstds = 1 / tl.sqrt(var + EPS)
    d = image_mean - batch_mean[None, :]
    balance = read(rho + c, valid, TYPE)
    batch_scale = balance * read(bn_weight + c, valid, TYPE) * rstd
    image_scale = (1 - balance) * read(in_weight + c, valid, TYPE)
    bias = balance * read(bn_bias + c, valid, TYPE) + (1 - balance) * read(in_bias + c, valid, TYPE)
    # scale_n = rho bn_weight s + (1 - rho) in_weight s_n
    scales = batch_scale[None, :] + image_scale[None, :] * image_rstds
    # shift_n = rho bn_bias + (1 - rho) in_bias + rho bn_weight s d_n
    shifts = bias[None, :] + batch_scale[None, :] * d
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
    c, valid, at, inside = locate(num_images, num_channels, BLOCK_N, BLOCK_C)
    plane = num_images * num_channels
    image0 = sum_chunks(sum0 + at, inside, plane, num_chunks)
    image1 = sum_chunks(sum1 + at, inside, plane, num_chunks)
    d = tl.load(deviation + at, mask=inside, other=0.0)
    image_rstds = tl.load(image_rstd + at, mask=inside, other=0.0)
    rstd = tl.load(batch_rstd + c, mask=valid, other=0.0)
    balance = read(rho + c, valid, TYPE)
    batch_weight = read(bn_weight + c, valid, TYPE)
    batch_bias = read(bn_bias + c, valid, TYPE)
    image_weight = read(in_weight + c, valid, TYPE)
    image_bias = read(in_bias + c, valid, TYPE)
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


@program
def locate(num_images, num_channels, BLOCK_N: tl.constexpr, BLOCK_C: tl.constexpr):
    """Return the channels of a program and their places in (N, C), each with its mask."""
    n = tl.arange(0, BLOCK_N)[:, None]
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    valid = c < num_channels
    return c, valid, n * num_channels + c[None, :], (n < num_images) & valid[None, :]


@program
def merge_chunks(mean, square, at, inside, plane, num_pixels, chunk, num_chunks):
    """Return mean and variance of the images, from the sums of their chunks."""
    image_mean = tl.load(mean + at, mask=inside, other=0.0)
    image_square = tl.load(square + at, mask=inside, other=0.0)
    for s in range(1, num_chunks):
        before = s * chunk
        after = tl.minimum(before + chunk, num_pixels)
        here = at + s * plane
        # merged as in Chan et al. 1979: the chunk's share of the pixels so far is size / after
        d = tl.load(mean + here, mask=inside, other=0.0) - image_mean
        step = d * (after - before) / after
        image_mean += step
        image_square += tl.load(square + here, mask=inside, other=0.0) + d * step * before
    return image_mean, image_square / num_pixels


@program
def batch_statistics(image_mean, var, inside, num_images):
    """Return m = mean_n m_n and v = mean_n (v_n + d_n^2)."""
    batch_mean = tl.sum(image_mean, axis=0) / num_images
    d = tl.where(inside, image_mean - batch_mean[None, :], 0.0)
    return batch_mean, tl.sum(var + d * d, axis=0) / num_images


@program
def sum_chunks(sums, inside, plane, num_chunks):
    """Return the sums of the images, from those of their chunks."""
    total = tl.load(sums, mask=inside, other=0.0)
    for s in range(1, num_chunks):
        total += tl.load(sums + s * plane, mask=inside, other=0.0)
    return total


@program
def move(running, statistic, MOMENTUM: tl.constexpr, valid):
    """Move running statistics: r <- r + momentum (statistic - r)."""
    old = tl.load(running, mask=valid, other=0.0)
    tl.store(running, old + MOMENTUM * (statistic - old), mask=valid)


@program
def read(values, valid, TYPE: tl.constexpr):
    """Return numbers in the type of the sums."""
    return tl.load(values, mask=valid, other=0.0).to(TYPE)
