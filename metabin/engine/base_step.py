"""The base step: cross-entropy and triplet loss on a batch of all sources move the weights."""

from __future__ import annotations

from collections.abc import Sequence

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
    features = gather(model(batch.images))
    values = losses.compute(features, batch, model.classify)
    for optimizer in optimizers:
        optimizer.zero_grad()
    losses.total(values).backward()
    sum_gradients(model.backbone.parameters())
    for optimizer in optimizers:
        optimizer.step()
    clip_rho(model)
    return scalars("base", values)
