"""Mixtures of the amplitude spectra of images, which carry their style more than their content."""

from __future__ import annotations

import numpy as np
import torch


def draw_mixtures(
    num_images: int, random: np.random.Generator, largest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw for each image of a batch the image to mix with, and the share of that one's amplitudes.

    Args:
        largest: share; shares are uniform in [0, largest].
    Returns: positions in the batch and shares, (B,) each.
    """
    return random.permutation(num_images), random.uniform(0, largest, num_images)


def mix_amplitudes(images: np.ndarray, partners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mix the amplitudes of images with those of others, and keep their phases.

        F = FFT(image), G = FFT(partner), per channel
        result = IFFT(((1 - share) |F| + share |G|) * F / |F|)

    Args:
        images, partners: (B, H, W, 3) uint8.
        shares: (B,) in [0, 1].
    Returns: (B, H, W, 3) uint8, rounded and clipped.
    Source: Xu et al., A Fourier-based framework for domain generalization, CVPR 2021.
    """
    size = images.shape[1:3]
    share = torch.from_numpy(shares).to(torch.float32).view(-1, 1, 1, 1)
    own, other = (
        torch.fft.rfft2(torch.from_numpy(values).to(torch.float32), dim=(1, 2))
        for values in (images, partners)
    )
    mixed = torch.polar(torch.lerp(own.abs(), other.abs(), share), own.angle())
    result = torch.fft.irfft2(mixed, s=size, dim=(1, 2))
    return result.round_().clamp_(0, 255).to(torch.uint8).numpy()
