"""The step of MLDG: the same episode as MetaBIN's, but every parameter is learned in it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from metabin.episodes.functional import (
    copied_parameters,
    descend,
    episode_losses,
    frozen_tensors,
    inner_update,
)
from metabin.episodes.meta_step import META_TEST_LOSSES, META_TRAIN_LOSSES
from metabin.losses.inputs import WeightedLosses, scalars
from metabin.model.embedder import Embedder
from metabin.model.norm import is_rho
from metabin.types import Batch


def mldg_step(
    model: Embedder,
    meta_train: Batch,
    meta_test: Batch,
    optimizers: Sequence[Optimizer],
    step_size: float,
    train_losses: WeightedLosses = META_TRAIN_LOSSES,
    test_losses: WeightedLosses = META_TEST_LOSSES,
) -> dict[str, Tensor]:
    """Take one step of MLDG.

        theta' = theta - step_size * d L_meta_train(theta) / d theta
        theta follows d (L_meta_train(theta) + L_meta_test(theta')) / d theta, through theta'

    That is second order. Statistics are those of each batch.

    Args: as of `metabin.episodes.meta_step.meta_step`; `optimizers` hold all that is learned, rho
        included.
    Source: Li et al. 2018; the reference's settings ALL_PARAMS and COMBINED.
    """
    constants = frozen_tensors(model)
    learned = copied_parameters(
        {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad or is_rho(name)  # the bias of the neck is frozen
        }
    )
    # Inner step: theta' = theta - step_size * d L_meta_train(theta) / d theta
    train_values = episode_losses(model, constants | learned, meta_train, train_losses)
    train_loss = train_losses.total(train_values)
    updated = inner_update(learned, train_loss, step_size, second_order=True)
    # Outer step: theta follows d (L_meta_train(theta) + L_meta_test(theta')) / d theta
    test_values = episode_losses(model, constants | updated, meta_test, test_losses)
    descend(model, learned, train_loss + test_losses.total(test_values), optimizers)
    return scalars("meta_train", train_values) | scalars("meta_test", test_values)
