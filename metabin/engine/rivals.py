"""Other ways to move rho than `metabin.engine.learner`: MLDG, and a ceiling that looks at the target."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import Optimizer

from metabin.engine.learner import (
    META_TEST_WEIGHTS,
    META_TRAIN_WEIGHTS,
    Scalars,
    Weights,
    constants,
    descend,
    episode_losses,
    forward_with,
    inner_update,
    is_rho,
    normalising_with,
    rho_of,
    scalars,
    weighted_sum,
)
from metabin.losses import triplet_loss
from metabin.model.embedder import Embedder
from metabin.types import Batch


def mldg_step(
    model: Embedder,
    meta_train: Batch,
    meta_test: Batch,
    optimizers: Sequence[Optimizer],
    step_size: float,
    train_weights: Weights = META_TRAIN_WEIGHTS,
    test_weights: Weights = META_TEST_WEIGHTS,
    *,
    margin: float = 0.3,
    smoothing: float = 0.1,
) -> Scalars:
    """One step of MLDG, the paper's rival: the same episode, but every parameter takes the inner and the outer step.

        theta' = theta - step_size * d L_meta_train(theta) / d theta
        theta follows d (L_meta_train(theta) + L_meta_test(theta')) / d theta, through theta' (second order)

    Args: as of `meta_step`; `optimizers` hold all that is learned, rho included.
    Source: Li et al. 2018; the reference's settings ALL_PARAMS and COMBINED.
    """
    rest = constants(model)
    learned = {
        name: parameter.detach().requires_grad_()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad or is_rho(name)  # not what is frozen: the neck's bias
    }
    train_losses = episode_losses(model, rest | learned, meta_train, train_weights, margin=margin, smoothing=smoothing)
    train_loss = weighted_sum(train_losses, train_weights)
    moved = inner_update(learned, train_loss, step_size, second_order=True)
    test_losses = episode_losses(model, rest | moved, meta_test, test_weights, margin=margin, smoothing=smoothing)
    descend(model, learned, train_loss + weighted_sum(test_losses, test_weights), optimizers)
    return scalars("meta_train", train_losses) | scalars("meta_test", test_losses)


def target_step(model: nn.Module, batch: Batch, optimizer: Optimizer, *, margin: float = 0.3) -> Scalars:
    """One step of rho along the triplet loss of the held-out domain itself, normalised as in its test.

    A ceiling of what any way of learning rho could give. It sees what must stay unseen, and is no method.
    """
    rest = constants(model)
    rho = {name: parameter.detach().requires_grad_() for name, parameter in rho_of(model).items()}
    with normalising_with(model, running=True):
        loss = triplet_loss(forward_with(model, rest | rho, batch.images), batch.label, margin=margin)
    descend(model, rho, loss, [optimizer])
    return scalars("target", {"triplet": loss})
