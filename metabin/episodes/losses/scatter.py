"""Intra-domain scatter: spreads the samples of each domain."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from metabin.losses.inputs import LossInputs


def loss(inputs: LossInputs) -> Tensor:
    """Return `scatter_loss` of the features."""
    return scatter_loss(inputs.features, inputs.batch.domain)


def scatter_loss(features: Tensor, domain: Tensor) -> Tensor:
    """Compute the mean cosine of the samples of a domain to their centroid.

        u_i = f_i / |f_i|,   c_k = mean_{i in k} u_i
        loss = (1/K) sum_k (1/N_k) sum_{i in k} cos(u_i, c_k)        (a mean of domain means)

    It is minimised, so it spreads the samples of a domain.

    Args:
        features: (B, D).
        domain: (B,) int64, any K distinct values.
    Returns: scalar in [-1, 1].
    Source: MetaBIN, meta-train loss L_scat.
    """
    unit = F.normalize(features, dim=1, eps=1e-12)
    same_domain = (domain[:, None] == domain[None, :]).to(unit.dtype)
    domain_size = same_domain.sum(dim=1)  # N_k of the domain of each sample
    centroid = same_domain @ unit / domain_size[:, None]  # c_k of the domain of each sample
    weight = 1 / domain_size  # sums to K over the batch
    return (weight * F.cosine_similarity(unit, centroid, dim=1)).sum() / weight.sum()
