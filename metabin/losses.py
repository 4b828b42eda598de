"""The losses of MetaBIN: pure functions of features, labels and domains.

`features` are the pooled features before the neck, neither normalised nor detached, (B, D). No loss indexes with a
boolean mask or branches on a value, so that none makes the host wait for the device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy_loss(logits: Tensor, label: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy with label smoothing.

        target[label] = 1 - smoothing,  target[other] = smoothing / (C - 1)
        loss = mean_i  - sum_c target[c] * log softmax(logits_i)[c]

    torch spreads its `label_smoothing` over all C classes, the true one included, so the same targets need
    smoothing * C / (C - 1) there.

    Args:
        logits: (B, C).
        label: (B,) int64 in [0, C).
        smoothing: probability given to the wrong classes together, in [0, (C - 1) / C].
    Returns: scalar.
    Source: the reference's CrossEntropyLoss; equations and tests in docs/method.md.
    """
    num_classes = logits.shape[1]
    return F.cross_entropy(logits, label, label_smoothing=smoothing * num_classes / max(num_classes - 1, 1))


def triplet_loss(features: Tensor, label: Tensor, *, margin: float) -> Tensor:
    """Batch-hard triplet loss: farthest positive against nearest negative; domains are ignored.

        loss = mean_i max(0, max_{j: y_j = y_i} d(i, j) - min_{j: y_j != y_i} d(i, j) + margin)

    An anchor without a negative contributes 0.

    Args:
        features: (B, D). label: (B,) int64. margin: in units of the euclidean distance, >= 0.
    Returns: scalar.
    Source: MetaBIN, base and meta losses; Hermans et al. 2017.
    """
    distance = euclidean_distance(features)
    same_id = label[:, None] == label[None, :]
    return F.relu(_farthest(distance, same_id) - _nearest(distance, ~same_id) + margin).mean()


def scatter_loss(features: Tensor, domain: Tensor) -> Tensor:
    """Intra-domain scatter: the mean cosine of a domain's samples to their centroid; minimised, so it spreads them.

        u_i = f_i / |f_i|,   c_k = mean_{i in k} u_i
        loss = (1/K) sum_k (1/N_k) sum_{i in k} cos(u_i, c_k)        (a mean of domain means)

    Args:
        features: (B, D). domain: (B,) int64, any K distinct values.
    Returns: scalar in [-1, 1].
    Source: MetaBIN, meta-train loss L_scat.
    """
    unit = F.normalize(features, dim=1, eps=1e-12)
    same_domain = (domain[:, None] == domain[None, :]).to(unit.dtype)
    domain_size = same_domain.sum(dim=1)  # N_k of each sample's own domain
    centroid = same_domain @ unit / domain_size[:, None]
    weight = 1 / domain_size  # sums to K over the batch
    return (weight * F.cosine_similarity(unit, centroid, dim=1)).sum() / weight.sum()


def shuffle_loss(features: Tensor, label: Tensor, domain: Tensor) -> Tensor:
    """Inter-domain shuffle: pulls other domains' samples near and pushes the own domain's other identities away.

        a_i = max { d(i, j): domain_j != domain_i, or j = i }
        b_i = min { d(i, j): domain_j = domain_i, y_j != y_i }
        loss = mean_i softplus(a_i - b_i)

    Identity plays no part in a_i. With a single domain a_i is d(i, i) and only the push remains; an anchor that is
    alone in its domain contributes 0.

    Args:
        features: (B, D). label: (B,) int64. domain: (B,) int64.
    Returns: scalar >= 0.
    Source: MetaBIN, meta-train loss L_shuf.
    """
    distance = euclidean_distance(features)
    same_id = label[:, None] == label[None, :]
    same_domain = domain[:, None] == domain[None, :]
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    other_domain = _farthest(distance, ~same_domain | itself)
    own_domain = _nearest(distance, same_domain & ~same_id)
    return F.softplus(other_domain - own_domain).mean()


def euclidean_distance(features: Tensor) -> Tensor:
    """All pairwise distances, (B, D) -> (B, B): sqrt(max(|a|^2 + |b|^2 - 2 a.b, 1e-12)).

    The floor keeps the gradient at distance 0 finite (it is 0 there). Needs float32 or better: in half
    precision the subtraction leaves noise larger than the margin.
    """
    squared_norm = features.square().sum(dim=1)
    squared = squared_norm[:, None] + squared_norm[None, :] - 2 * features @ features.T
    return squared.clamp_min(1e-12).sqrt()


def _farthest(distance: Tensor, allowed: Tensor) -> Tensor:
    return torch.where(allowed, distance, -torch.inf).max(dim=1).values


def _nearest(distance: Tensor, allowed: Tensor) -> Tensor:
    return torch.where(allowed, distance, torch.inf).min(dim=1).values
