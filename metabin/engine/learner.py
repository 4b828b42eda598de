"""The method: one base step for the weights, one meta step for the balance rho.

An iteration of MetaBIN is

    base_step   everything but rho follows cross-entropy + triplet on a batch of all sources;
    meta_step   some source domains play "meta-train", the others "meta-test":
                rho' = clip(rho - step_size * d L_meta_train(rho) / d rho)      (a temporary rho)
                rho <- clip(rho - outer_lr  * d L_meta_test(rho') / d rho)      (only rho moves)

rho is handled as a dictionary from parameter name to tensor and put into the network by name with
`torch.func.functional_call`; no layer knows that it is being meta-learned.
Running statistics move in the base step alone: the meta forwards write theirs into scratch copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from metabin.losses import cross_entropy_loss, scatter_loss, shuffle_loss, triplet_loss
from metabin.model.embedder import Embedder
from metabin.model.norm import RHO
from metabin.types import Batch

Rho = dict[str, Tensor]
Scalars = dict[str, Tensor]  # 0-d, detached: on the device until someone asks for the number
Weights = Mapping[str, float]

BASE_WEIGHTS: Weights = {"ce": 1.0, "triplet": 1.0}
META_TRAIN_WEIGHTS: Weights = {"scatter": 1.0, "shuffle": 1.0, "triplet": 1.0}


def base_step(
    model: Embedder,
    batch: Batch,
    optimizers: Optimizer | Sequence[Optimizer],
    weights: Weights = BASE_WEIGHTS,
    *,
    smoothing: float = 0.1,
    margin: float = 0.3,
) -> Scalars:
    """One descent step of the base losses; moves what the optimisers hold and the running statistics.

    MetaBIN gives one optimiser, without rho. Joint training gives a second one that holds rho.

    Args:
        weights: of the terms "ce" and "triplet", each >= 0.
        smoothing: of the labels. margin: of the triplet loss.
    Returns: the unweighted terms, {"base/ce": ..., "base/triplet": ...}.
    """
    optimizers = [optimizers] if isinstance(optimizers, Optimizer) else optimizers
    features = model(batch.images)
    losses = {
        "ce": cross_entropy_loss(model.classify(features), batch.label, smoothing=smoothing),
        "triplet": triplet_loss(features, batch.label, margin=margin),
    }
    for optimizer in optimizers:
        optimizer.zero_grad()
    _weighted_sum(losses, weights).backward()
    for optimizer in optimizers:
        optimizer.step()
    clip_rho(model)
    return _scalars("base", losses)


def meta_step(
    model: nn.Module,
    meta_train: Batch,
    meta_test: Batch,
    optimizer: Optimizer,
    step_size: float,
    weights: Weights = META_TRAIN_WEIGHTS,
    *,
    margin: float = 0.3,
    second_order: bool = False,
) -> Scalars:
    """One meta-learning step; moves rho and nothing else, not even a running statistic.

    Args:
        model: maps images to features (B, D); its parameters named `rho` are learned.
        meta_train, meta_test: batches of disjoint source domains, at least two identities in each domain.
        optimizer: holds the rho parameters; its learning rate is the outer one.
        step_size: of the inner update, >= 0.
        weights: of the meta-train terms "scatter", "shuffle" and "triplet".
        second_order: differentiate through the inner gradient as well. The reference does not.
    Returns: the unweighted terms, {"meta_train/...": ..., "meta_test/triplet": ...}.
    """
    rho = {name: parameter.detach().requires_grad_() for name, parameter in rho_of(model).items()}

    features = forward_with(model, rho, meta_train.images)
    train_losses = {
        "scatter": scatter_loss(features, meta_train.domain),
        "shuffle": shuffle_loss(features, meta_train.label, meta_train.domain),
        "triplet": triplet_loss(features, meta_train.label, margin=margin),
    }
    rho_prime = inner_update(rho, _weighted_sum(train_losses, weights), step_size, second_order=second_order)

    features = forward_with(model, rho_prime, meta_test.images)
    test_loss = triplet_loss(features, meta_test.label, margin=margin)
    gradient = torch.autograd.grad(test_loss, list(rho.values()))

    for parameter, grad in zip(rho_of(model).values(), gradient, strict=True):
        parameter.grad = grad
    optimizer.step()
    optimizer.zero_grad()
    clip_rho(model)
    return _scalars("meta_train", train_losses) | _scalars("meta_test", {"triplet": test_loss})


def inner_update(rho: Rho, loss: Tensor, step_size: float, *, second_order: bool = False) -> Rho:
    """The temporary rho' = clip(rho - step_size * d loss / d rho).

    The clip is straight-through: the value stays in [0, 1], the gradient passes. rho starts at 1 in the paper, where a
    plain clip would stop every gradient. First order treats d loss / d rho as a constant.
    """
    gradient = torch.autograd.grad(loss, list(rho.values()), create_graph=second_order)
    moved = {name: value - step_size * grad for (name, value), grad in zip(rho.items(), gradient, strict=True)}
    return {name: value.detach().clamp(0, 1) + (value - value.detach()) for name, value in moved.items()}


def forward_with(model: nn.Module, rho: Rho, images: Tensor) -> Tensor:
    """The model's features (B, D) under another rho, with batch statistics; running statistics stay as they are."""
    scratch = {name: buffer.clone() for name, buffer in model.named_buffers()}
    return functional_call(model, {**rho, **scratch}, (images,))


def rho_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """The balance parameters by their full names, in the network's order."""
    return {name: parameter for name, parameter in model.named_parameters() if name.split(".")[-1] == RHO}


@torch.no_grad()
def clip_rho(model: nn.Module) -> None:
    """Put every rho back into [0, 1]."""
    for parameter in rho_of(model).values():
        parameter.clamp_(0, 1)


def _weighted_sum(losses: Mapping[str, Tensor], weights: Weights) -> Tensor:
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def _scalars(prefix: str, losses: Mapping[str, Tensor]) -> Scalars:
    return {f"{prefix}/{name}": loss.detach() for name, loss in losses.items()}
