"""The inputs of a loss, and weighted sums of losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from metabin.errors import ConfigError
from metabin.registry import VIEW_LOSSES, find_loss
from metabin.types import Batch


@dataclass(frozen=True, slots=True)
class LossInputs:
    """The features of a batch, and what a loss may need beside them.

    Args:
        features: (B, D), before the neck.
        batch: the labels and domains of the features.
        classify: features (B, D) -> logits (B, C); called by a loss that needs logits.
        margin: of triplet losses, in units of the Euclidean distance.
        smoothing: of the labels in a cross-entropy.
        views: the embeddings of a batch of two views, (B, D) each: of the images with the usual
            augmentation, and with a stronger one. Empty for a batch of one view.
    """

    features: Tensor
    batch: Batch
    classify: Callable[[Tensor], Tensor]
    margin: float
    smoothing: float
    views: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightedLosses:
    """Losses by name, each with a weight, and the parameters that they share.

    Args:
        weights: name of a registered loss -> weight, >= 0.
        margin, smoothing: as in `LossInputs`.
        options: name -> keyword arguments of that loss alone.
    """

    weights: Mapping[str, float]
    margin: float = 0.3
    smoothing: float = 0.1
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, terms: Mapping[str, Any], *, margin: float, smoothing: float) -> WeightedLosses:
        """Return the losses that a section of params.yaml lists.

        Args:
            terms: name -> weight, or name -> {"weight": weight, option: value, ...}.
        Raises:
            ConfigError: a loss does not have that option.
        """
        weights = {}
        options = {}
        for name, term in terms.items():
            if isinstance(term, Mapping):
                weights[name] = term["weight"]
                options[name] = {key: value for key, value in term.items() if key != "weight"}
            else:
                weights[name] = term
        for name in options:
            _check_options(name, options[name])
        return cls(weights, margin, smoothing, options)

    @property
    def num_views(self) -> int:
        """Return how many views of each image the losses need."""
        return 2 if any(self.weights.get(name, 0) > 0 for name in VIEW_LOSSES) else 1

    def compute(
        self,
        features: Tensor,
        batch: Batch,
        classify: Callable[[Tensor], Tensor],
        views: tuple[Tensor, ...] = (),
    ) -> dict[str, Tensor]:
        """Return the unweighted losses of a batch by name; those of weight 0 are not computed."""
        inputs = LossInputs(features, batch, classify, self.margin, self.smoothing, views)
        return {
            name: find_loss(name)(inputs, **self.options.get(name, {}))
            for name, weight in self.weights.items()
            if weight > 0
        }

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of losses that `compute` returned."""
        # sum_k weight_k * loss_k
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    """Check that the function of a loss has keyword arguments of these names."""
    _, *known = signature(find_loss(name)).parameters  # the first is `inputs`
    if unknown := [key for key in options if key not in known]:
        raise ConfigError(
            f"the loss {name} has no option {', '.join(unknown)}; "
            f"expected {', '.join(['weight', *known])}"
        )


def scalars(prefix: str, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return losses under "<prefix>/<name>" for the record: detached, still on their device."""
    return {f"{prefix}/{name}": loss.detach() for name, loss in losses.items()}
