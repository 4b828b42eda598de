"""The method: one base step for the weights, one meta step for the balance rho.

An iteration of MetaBIN is

    base_step   everything but rho follows cross-entropy + triplet on a batch of all sources;
    meta_step   some source domains play "meta-train", the others "meta-test":
                rho' = clip(rho - step_size * d L_meta_train(rho) / d rho)      (a temporary rho)
                rho <- clip(rho - outer_lr  * d L_meta_test(rho') / d rho)      (only rho moves)

What is learned in the meta step is a dictionary from parameter name to tensor, put into the network by name with
`torch.func.functional_call`; no layer knows that it is being meta-learned.
Running statistics move in the base step alone: the meta forwards write theirs into scratch copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from metabin.losses import cross_entropy_loss, scatter_loss, shuffle_loss, triplet_loss
from metabin.model.embedder import Embedder
from metabin.model.norm import RHO
from metabin.types import Batch

Tensors = dict[str, Tensor]  # by parameter name
Scalars = dict[str, Tensor]  # 0-d, detached: on the device until someone asks for the number
Weights = Mapping[str, float]
Statistics = Literal["batch", "running", "meta_train"]

BASE_WEIGHTS: Weights = {"ce": 1.0, "triplet": 1.0}
META_TRAIN_WEIGHTS: Weights = {"scatter": 1.0, "shuffle": 1.0, "triplet": 1.0}
META_TEST_WEIGHTS: Weights = {"triplet": 1.0}


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
    weighted_sum(losses, weights).backward()
    for optimizer in optimizers:
        optimizer.step()
    clip_rho(model)
    return scalars("base", losses)


def meta_step(
    model: nn.Module,
    meta_train: Batch,
    meta_test: Batch,
    optimizer: Optimizer,
    step_size: float,
    train_weights: Weights = META_TRAIN_WEIGHTS,
    test_weights: Weights = META_TEST_WEIGHTS,
    *,
    margin: float = 0.3,
    smoothing: float = 0.1,
    statistics: Statistics = "batch",
    second_order: bool = False,
    combined: bool = False,
) -> Scalars:
    """One meta-learning step; moves rho and nothing else, not even a running statistic.

    Args:
        model: maps images to features (B, D); its parameters named `rho` are learned. An Embedder where "ce" is used.
        meta_train, meta_test: batches of disjoint source domains, at least two identities in each domain.
        optimizer: holds the rho parameters; its learning rate is the outer one.
        step_size: of the inner update, >= 0.
        train_weights, test_weights: of the terms of `episode_losses`. A term of weight 0 is not computed.
        statistics: what the batch halves normalise with. "batch": each forward's own, as in the reference; "running":
            in both forwards the running ones, as in a test; "meta_train": in meta-test those of the meta-train batch,
            as if the network had been trained there and were tested here.
        second_order: differentiate through the inner gradient as well. The reference does not.
        combined: add the meta-train loss to the outer loss. The reference does not.
    Returns: the unweighted terms, {"meta_train/...": ..., "meta_test/...": ...}.
    """
    rest = constants(model)
    rho = {name: parameter.detach().requires_grad_() for name, parameter in rho_of(model).items()}
    with normalising_with(model, running=statistics == "running"):
        train_losses = episode_losses(model, rest | rho, meta_train, train_weights, margin=margin, smoothing=smoothing)
    train_loss = weighted_sum(train_losses, train_weights)
    rho_prime = inner_update(rho, train_loss, step_size, second_order=second_order, keep_graph=combined)
    rest |= batch_statistics(model, rest) if statistics == "meta_train" else {}
    with normalising_with(model, running=statistics != "batch"):
        test_losses = episode_losses(
            model, rest | rho_prime, meta_test, test_weights, margin=margin, smoothing=smoothing
        )
    outer_loss = weighted_sum(test_losses, test_weights)
    descend(model, rho, outer_loss + train_loss if combined else outer_loss, [optimizer])
    return scalars("meta_train", train_losses) | scalars("meta_test", test_losses)


def episode_losses(
    model: nn.Module, tensors: Tensors, batch: Batch, weights: Weights, *, margin: float, smoothing: float
) -> Tensors:
    """The terms with a weight above 0, unweighted, of a batch with other tensors in the place of the model's own."""
    features = forward_with(model, tensors, batch.images)
    terms = {
        "scatter": lambda: scatter_loss(features, batch.domain),
        "shuffle": lambda: shuffle_loss(features, batch.label, batch.domain),
        "triplet": lambda: triplet_loss(features, batch.label, margin=margin),
        "ce": lambda: cross_entropy_loss(classify_with(model, tensors, features), batch.label, smoothing=smoothing),
    }
    return {name: terms[name]() for name, weight in weights.items() if weight > 0}


def inner_update(
    tensors: Tensors, loss: Tensor, step_size: float, *, second_order: bool = False, keep_graph: bool = False
) -> Tensors:
    """The temporary rho' = clip(rho - step_size * d loss / d rho); a parameter that is no rho is not clipped.

    The clip is straight-through: the value stays in [0, 1], the gradient passes. rho starts at 1 in the paper, where a
    plain clip would stop every gradient. First order treats d loss / d rho as a constant.
    """
    gradients = torch.autograd.grad(
        loss,
        list(tensors.values()),
        create_graph=second_order,
        retain_graph=second_order or keep_graph,
        materialize_grads=True,  # a loss without "ce" does not reach the classifier
    )
    moved = {name: value - step_size * grad for (name, value), grad in zip(tensors.items(), gradients, strict=True)}
    return {
        name: value.detach().clamp(0, 1) + (value - value.detach()) if is_rho(name) else value
        for name, value in moved.items()
    }


def forward_with(model: nn.Module, tensors: Tensors, images: Tensor) -> Tensor:
    """The model's features (B, D) with other tensors in the place of its own."""
    return functional_call(model, tensors, (images,))


def classify_with(model: nn.Module, tensors: Tensors, features: Tensor) -> Tensor:
    """The logits (B, C) of features, through neck and classifier with other tensors in the place of their own."""
    for part in ("neck", "classifier"):
        own = {name.removeprefix(f"{part}."): tensors[name] for name in tensors if name.startswith(f"{part}.")}
        features = functional_call(model.get_submodule(part), own, (features,))
    return features


def constants(model: nn.Module) -> Tensors:
    """What an episode does not learn: the parameters without gradients, so that no layer keeps what only those would
    need, and copies of the buffers, which it may overwrite.
    """
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return parameters | {name: buffer.clone() for name, buffer in model.named_buffers()}


@contextmanager
def normalising_with(model: nn.Module, *, running: bool) -> Iterator[None]:
    """The model normalises with the running statistics that it is given, or with those of the batch."""
    training = model.training
    model.train(not running)
    try:
        yield
    finally:
        model.train(training)


def batch_statistics(model: nn.Module, moved: Tensors) -> Tensors:
    """The statistics of the one batch that has moved copies of the model's running ones.

    A running statistic r follows r <- (1 - m) r + m s with momentum m; this gives s. Variances are the unbiased ones.
    """
    found = {}
    for name, running in model.named_buffers():
        layer, _, statistic = name.rpartition(".")
        if statistic in ("running_mean", "running_var"):
            momentum: Any = model.get_submodule(layer).momentum
            found[name] = running + (moved[name] - running) / momentum
    return found


def rho_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """The balance parameters by their full names, in the network's order."""
    return {name: parameter for name, parameter in model.named_parameters() if is_rho(name)}


@torch.no_grad()
def clip_rho(model: nn.Module) -> None:
    """Put every rho back into [0, 1]."""
    for parameter in rho_of(model).values():
        parameter.clamp_(0, 1)


def descend(model: nn.Module, learned: Tensors, loss: Tensor, optimizers: Sequence[Optimizer]) -> None:
    """Step the model's own parameters by the gradients of their stand-ins."""
    gradients = torch.autograd.grad(loss, list(learned.values()), materialize_grads=True)
    parameters = dict(model.named_parameters())
    for name, gradient in zip(learned, gradients, strict=True):
        # a fused optimiser takes both for memory in the same order
        parameters[name].grad = torch.empty_like(parameters[name]).copy_(gradient)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    clip_rho(model)


def is_rho(name: str) -> bool:
    return name.split(".")[-1] == RHO


def weighted_sum(losses: Mapping[str, Tensor], weights: Weights) -> Tensor:
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def scalars(prefix: str, losses: Mapping[str, Tensor]) -> Scalars:
    return {f"{prefix}/{name}": loss.detach() for name, loss in losses.items()}
