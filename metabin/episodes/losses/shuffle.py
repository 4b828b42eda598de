"""Inter-domain shuffle: mixes the samples of different domains."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from metabin.losses.distance import euclidean_distance, farthest, nearest
from metabin.losses.inputs import LossInputs


def loss(inputs: LossInputs) -> Tensor:
    """Return `shuffle_loss` of the features."""
    return shuffle_loss(inputs.features, inputs.batch.label, inputs.batch.domain)


def shuffle_loss(features: Tensor, label: Tensor, domain: Tensor) -> Tensor:
    """Pull samples of other domains near and push other identities of the same domain away.

        a_i = max { d(i, j): domain_j != domain_i, or j = i }
        b_i = min { d(i, j): domain_j = domain_i, y_j != y_i }
        loss = mean_i softplus(a_i - b_i)

    Identity plays no part in a_i. With a single domain a_i is d(i, i) and only the push remains; an
    anchor that is alone in its domain contributes 0.

    Args:
        features: (B, D).
        label: (B,) int64.
        domain: (B,) int64.
    Returns: scalar >= 0.
    Source: MetaBIN, meta-train loss L_shuf.
    """
    distance = euclidean_distance(features)
    same_id = label[:, None] == label[None, :]
    same_domain = domain[:, None] == domain[None, :]
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    farthest_other_domain = farthest(distance, ~same_domain | itself)  # a_i
    nearest_same_domain = nearest(distance, same_domain & ~same_id)  # b_i, inf if there is none
    return F.softplus(farthest_other_domain - nearest_same_domain).mean()
