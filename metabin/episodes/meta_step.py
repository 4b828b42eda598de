"""The meta step of MetaBIN: it moves the balance rho and nothing else.

An iteration of MetaBIN is

    base step   everything but rho follows cross-entropy + triplet on a batch of all sources;
    meta step   some source domains play "meta-train", the others "meta-test":
                rho' = clip(rho - step_size * d L_meta_train(rho) / d rho)      (a temporary rho)
                rho <- clip(rho - outer_lr  * d L_meta_test(rho') / d rho)      (only rho moves)

The optimiser's learning rate is outer_lr. `metabin.episodes.functional` has the tools: rho is a
dictionary from parameter name to tensor, put into the network by name, so that no layer knows that
it is meta-learned. Running statistics move in the base step alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.optim import Optimizer

from metabin.episodes.functional import (
    batch_statistics,
    copied_parameters,
    descend,
    episode_losses,
    frozen_tensors,
    inner_update,
    normalising_with,
)
from metabin.losses.inputs import WeightedLosses, scalars
from metabin.model.norm import rho_of
from metabin.types import Batch

META_TRAIN_LOSSES = WeightedLosses({"scatter": 1.0, "shuffle": 1.0, "triplet": 1.0})
META_TEST_LOSSES = WeightedLosses({"triplet": 1.0})


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """The losses of an episode, and the variants of the meta step.

    Args:
        train_losses, test_losses: of the meta-train and the meta-test batch.
        statistics: what the batch halves normalise with. "batch": the statistics of each batch, as
            in the reference; "running": the running ones in both forward passes, as in a test;
            "meta_train": in meta-test those of the meta-train batch, as if the network had been
            trained on it and were tested on meta-test.
        second_order: differentiate through the inner gradient as well. The reference does not.
        combined: add the meta-train loss to the outer loss. The reference does not.
    """

    train_losses: WeightedLosses = META_TRAIN_LOSSES
    test_losses: WeightedLosses = META_TEST_LOSSES
    statistics: Literal["batch", "running", "meta_train"] = "batch"
    second_order: bool = False
    combined: bool = False


REFERENCE_SETTINGS = EpisodeSettings()


def meta_step(
    model: nn.Module,
    meta_train: Batch,
    meta_test: Batch,
    optimizer: Optimizer,
    step_size: float,
    settings: EpisodeSettings = REFERENCE_SETTINGS,
) -> dict[str, Tensor]:
    """Take one meta-learning step.

    Args:
        model: maps images to features (B, D); its parameters named `rho` are learned. An Embedder
            where a loss needs logits.
        meta_train, meta_test: batches of disjoint source domains, with at least two identities in
            each domain.
        optimizer: holds the rho parameters; its learning rate is the outer one.
        step_size: of the inner update, >= 0.
    Returns: the unweighted losses, {"meta_train/...": ..., "meta_test/...": ...}.
    """
    constants = frozen_tensors(model)
    rho = copied_parameters(rho_of(model))

    # Inner step: rho' = clip(rho - step_size * d L_meta_train(rho) / d rho)
    with normalising_with(model, running=settings.statistics == "running"):
        train_values = episode_losses(model, constants | rho, meta_train, settings.train_losses)
    train_loss = settings.train_losses.total(train_values)
    rho_prime = inner_update(
        rho,
        train_loss,
        step_size,
        second_order=settings.second_order,
        keep_graph=settings.combined,
    )

    # Outer step: rho <- clip(rho - outer_lr * d L_meta_test(rho') / d rho)
    if settings.statistics == "meta_train":
        constants = constants | batch_statistics(model, constants)
    with normalising_with(model, running=settings.statistics != "batch"):
        test_values = episode_losses(model, constants | rho_prime, meta_test, settings.test_losses)
    outer_loss = settings.test_losses.total(test_values)
    if settings.combined:
        outer_loss = outer_loss + train_loss
    descend(model, rho, outer_loss, [optimizer])
    return scalars("meta_train", train_values) | scalars("meta_test", test_values)
