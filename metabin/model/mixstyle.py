"""MixStyle: the statistics of an image's maps become a mixture with those of another image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ALPHA = 0.1  # of the Beta distribution, as in the authors' experiments on re-identification
EPS = 1e-6


def add_mixstyle(network: nn.Module, stages: Sequence[str], probability: float) -> None:
    """Mix the styles of the maps after some stages of a network, in training alone.

    A stage of one batch does so with this probability. The network keeps its parameters and the
    names of its submodules.

    Args:
        stages: names of submodules.
        probability: in [0, 1].
    """

    def mix(module: nn.Module, _: object, maps: Tensor) -> Tensor:
        # The probability is drawn on the CPU, so that a CUDA device is not waited for.
        if module.training and torch.rand(()).item() < probability:
            return mix_styles(maps)
        return maps

    for stage in stages:
        network.get_submodule(stage).register_forward_hook(mix)


def mix_styles(maps: Tensor) -> Tensor:
    """Mix the mean and deviation of every channel of an image with those of another image.

        m = l * mean_i + (1 - l) * mean_j,  s = l * std_i + (1 - l) * std_j,  l ~ Beta(0.1, 0.1)
        y_i = s * (x_i - mean_i) / std_i + m

    j is a random permutation of the batch. The statistics are constants in the gradient. On several
    devices each mixes the styles of its own images.

    Shapes: (B, C, H, W) -> (B, C, H, W).
    Source: Zhou et al., Domain generalization with MixStyle, ICLR 2021.
    """
    var, mean = torch.var_mean(maps.detach(), dim=(2, 3), keepdim=True)
    std = (var + EPS).sqrt()
    count = len(maps)
    alpha = torch.full((count, 1, 1, 1), ALPHA, device=maps.device)
    share = torch.distributions.Beta(alpha, alpha, validate_args=False).sample().to(maps.dtype)
    other = torch.randperm(count, device=maps.device)
    mixed_mean = torch.lerp(mean[other], mean, share)
    mixed_std = torch.lerp(std[other], std, share)
    # s * (x - mean) / std + m as one scale and one shift
    scale = mixed_std / std
    return maps * scale + (mixed_mean - mean * scale)
