"""Uniformity: the embeddings of each view spread over the sphere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from metabin.losses.inputs import LossInputs


def loss(inputs: LossInputs) -> Tensor:
    """Return the mean `uniformity_loss` of the views."""
    return torch.stack([uniformity_loss(view) for view in inputs.views]).mean()


def uniformity_loss(embeddings: Tensor) -> Tensor:
    """Compute the logarithm of the mean Gaussian potential of all pairs.

        loss = log mean_{i < j} exp(-2 |f_i - f_j|^2),  f normalised

    Args:
        embeddings: (B, D).
    Returns: scalar in [-8, 0]; 0 for a single embedding, which has no pair.
    Source: Wang and Isola 2020, as in BAU (Cho et al., NeurIPS 2024).
    """
    f = F.normalize(embeddings)
    # |a - b|^2 = 2 - 2 a.b for vectors of length 1
    squared = 2 - 2 * f @ f.T
    potential = torch.exp(-2 * squared)
    num_pairs = len(f) * (len(f) - 1)
    if not num_pairs:
        return potential.sum() * 0
    # Each pair is there twice, and every embedding with itself.
    return ((potential.sum() - potential.diagonal().sum()) / num_pairs).log()
