"""The step of the ceiling: rho follows the loss of the held-out domain itself."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Optimizer

from metabin.episodes.functional import (
    copied_parameters,
    descend,
    episode_losses,
    frozen_tensors,
    normalising_with,
)
from metabin.losses.inputs import WeightedLosses, scalars
from metabin.model.norm import rho_of
from metabin.types import Batch


def target_step(
    model: nn.Module, batch: Batch, optimizer: Optimizer, *, margin: float
) -> dict[str, Tensor]:
    """Move rho along the triplet loss of the held-out domain, normalised as in its test.

    An upper bound of what any way to learn rho could give. It reads what must stay unseen, so it is
    no method.
    """
    losses = WeightedLosses({"triplet": 1.0}, margin=margin)
    rho = copied_parameters(rho_of(model))
    with normalising_with(model, running=True):
        values = episode_losses(model, frozen_tensors(model) | rho, batch, losses)
    descend(model, rho, values["triplet"], [optimizer])
    return scalars("target", values)
