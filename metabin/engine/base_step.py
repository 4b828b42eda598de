"""The base step: cross-entropy and triplet loss on a batch of all sources move the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from metabin.losses.inputs import WeightedLosses, scalars
from metabin.model.distributed import gather, sum_gradients
from metabin.model.embedder import Embedder
from metabin.model.norm import clip_rho
from metabin.types import Batch

BASE_LOSSES = WeightedLosses({"ce": 1.0, "triplet": 1.0})


def base_step(
    model: Embedder,
    batch: Batch,
    optimizers: Optimizer | Sequence[Optimizer],
    losses: WeightedLosses = BASE_LOSSES,
) -> dict[str, Tensor]:
    """Take one descent step of the base losses.

    Moves the parameters that the optimisers hold, and the running statistics. MetaBIN passes one
    optimiser, without rho. Joint training passes a second one that holds rho.

    Returns: the unweighted losses, {"base/ce": ..., "base/triplet": ...}.
    """
    optimizers = [optimizers] if isinstance(optimizers, Optimizer) else optimizers
    values = base_losses(model, batch, losses)
    for optimizer in optimizers:
        optimizer.zero_grad()
    losses.total(values).backward()
    sum_gradients(model.backbone.parameters())
    for optimizer in optimizers:
        optimizer.step()
    clip_rho(model)
    return scalars("base", values)


def base_losses(model: Embedder, batch: Batch, losses: WeightedLosses) -> dict[str, Tensor]:
    """Return the unweighted losses of a batch of one or of two views.

    All losses but those of `metabin.registry.VIEW_LOSSES` see the first view alone.
    """
    features, *others = [gather(view) for view in model(batch.images).chunk(batch.num_views)]
    if not others:
        return losses.compute(features, batch, model.classify)
    # The neck normalises all views together, so that its running statistics move once.
    views = model.neck(torch.cat([features, *others])).chunk(batch.num_views)
    return losses.compute(features, batch, lambda _: model.classifier(views[0]), views)
