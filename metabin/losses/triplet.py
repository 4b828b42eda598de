"""Batch-hard triplet loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from metabin.losses.distance import euclidean_distance, farthest, nearest
from metabin.losses.inputs import LossInputs


def loss(inputs: LossInputs) -> Tensor:
    """Return `triplet_loss` of the features."""
    return triplet_loss(inputs.features, inputs.batch.label, margin=inputs.margin)


def triplet_loss(features: Tensor, label: Tensor, *, margin: float) -> Tensor:
    """Compute the batch-hard triplet loss: farthest positive against nearest negative.

        loss = mean_i max(0, max_{j: y_j = y_i} d(i, j) - min_{j: y_j != y_i} d(i, j) + margin)

    Domains are ignored. An anchor without a negative contributes 0.

    Args:
        features: (B, D).
        label: (B,) int64.
        margin: in units of the Euclidean distance, >= 0.
    Returns: scalar.
    Source: MetaBIN, base and meta losses; Hermans et al. 2017.
    """
    # Without a negative, its distance is inf and the loss of the anchor is 0. The anchor itself is
    # a positive, at a distance of about 0.
    distance = euclidean_distance(features)
    same_id = label[:, None] == label[None, :]
    return F.relu(farthest(distance, same_id) - nearest(distance, ~same_id) + margin).mean()
