"""Alignment of strongly augmented images with the images of the same person."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from metabin.losses.inputs import LossInputs


def loss(inputs: LossInputs, num_neighbours: int = 10) -> Tensor:
    """Return `alignment_loss` of the two views."""
    usual, strong = inputs.views
    return alignment_loss(usual, strong, inputs.batch.label, num_neighbours=num_neighbours)


def alignment_loss(usual: Tensor, strong: Tensor, label: Tensor, *, num_neighbours: int) -> Tensor:
    """Compute the mean squared distance of positives between two views, weighted by reliability.

        loss = sum_{i, j: y_i = y_j} w_ij |s_i - u_j|^2 / sum_{i, j: y_i = y_j} w_ij

    u and s are the normalised embeddings of the usual and the strong view. The reliability w_ij is
    the Jaccard index of the reciprocal neighbours of s_i and of u_j among both views: a strongly
    augmented image that is no longer near its person counts little.

    Args:
        usual, strong: (B, D).
        label: (B,) int64.
        num_neighbours: k; j is a reciprocal neighbour of i if each is among the k nearest of the
            other, itself included.
    Returns: scalar; 0 if no pair has a neighbour in common.
    Source: BAU (Cho et al., NeurIPS 2024), section 4.
    """
    usual, strong = F.normalize(usual), F.normalize(strong)
    # |s - u|^2 = 2 - 2 s.u for vectors of length 1
    squared = 2 - 2 * strong @ usual.T
    weight = reliability(usual, strong, num_neighbours)
    weight = weight * (label[:, None] == label[None, :])
    return (squared * weight).sum() / weight.sum().clamp_min(1e-6)


@torch.no_grad()
def reliability(usual: Tensor, strong: Tensor, num_neighbours: int) -> Tensor:
    """Return the Jaccard index of the reciprocal neighbours of every s_i and u_j, (B, B).

    Args: as of `alignment_loss`, normalised.
    """
    both = torch.cat([usual, strong])
    similarity = both @ both.T
    nearest = similarity.topk(min(num_neighbours, len(both)), dim=1).indices
    is_near = torch.zeros_like(similarity).scatter_(1, nearest, 1.0)
    of_usual, of_strong = (is_near * is_near.T).chunk(2)
    shared = of_strong @ of_usual.T
    # |A or B| = |A| + |B| - |A and B|; every image is its own neighbour, so that this is above 0
    union = of_strong.sum(dim=1)[:, None] + of_usual.sum(dim=1)[None, :] - shared
    return shared / union
