"""Distances within a batch, and the farthest and the nearest sample."""

from __future__ import annotations

import torch
from torch import Tensor


def euclidean_distance(features: Tensor) -> Tensor:
    """Compute all pairwise distances, (B, D) -> (B, B): sqrt(max(|a|^2 + |b|^2 - 2 a.b, 1e-12)).

    The floor keeps the gradient at distance 0 finite (it is 0 there). Needs float32 or better: in
    half precision the rounding error of the subtraction is larger than the margin.
    """
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a.b
    squared_norm = features.square().sum(dim=1)
    squared = squared_norm[:, None] + squared_norm[None, :] - 2 * features @ features.T
    return squared.clamp_min(1e-12).sqrt()


def farthest(distance: Tensor, allowed: Tensor) -> Tensor:
    """Return the largest allowed distance of each row, (B, B) and (B, B) bool -> (B,)."""
    return torch.where(allowed, distance, -torch.inf).max(dim=1).values


def nearest(distance: Tensor, allowed: Tensor) -> Tensor:
    """Return the smallest allowed distance of each row, (B, B) and (B, B) bool -> (B,)."""
    return torch.where(allowed, distance, torch.inf).min(dim=1).values
