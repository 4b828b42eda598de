"""Tools of an episode: forward passes with other tensors in place of a model's parameters.

A dictionary from parameter name to tensor is put into the network by name with
`torch.func.functional_call`. Forward passes write their running statistics into copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from metabin.losses.inputs import WeightedLosses
from metabin.model.distributed import gather, spread_all
from metabin.model.embedder import CLASSIFIER_PARTS
from metabin.model.norm import clip_rho, is_rho
from metabin.types import Batch

Tensors = dict[str, Tensor]  # by parameter name


def copied_parameters(parameters: Mapping[str, nn.Parameter]) -> Tensors:
    """Return stand-ins of parameters that an episode differentiates by; they share their memory."""
    return {name: value.detach().requires_grad_() for name, value in parameters.items()}


def frozen_tensors(model: nn.Module) -> Tensors:
    """Return what an episode does not learn, by name.

    Parameters come without gradients, so that no layer keeps what only their gradients need;
    buffers are copies, which the forward passes of an episode may overwrite.
    """
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    return parameters | buffers


def episode_losses(
    model: nn.Module, tensors: Tensors, batch: Batch, losses: WeightedLosses
) -> Tensors:
    """Return the unweighted losses of a batch, with other tensors in place of the model's own."""
    features = gather(forward_with(model, spread_learned(tensors), batch.images))
    return losses.compute(features, batch, lambda features: classify_with(model, tensors, features))


def spread_learned(tensors: Tensors) -> Tensors:
    """Return tensors for the backbone of one of several ranks: see `metabin.model.distributed`.

    Their gradients are then those of the whole batch, here and in the second order.
    """
    learned = {
        name: value
        for name, value in tensors.items()
        if value.requires_grad and name.partition(".")[0] not in CLASSIFIER_PARTS
    }
    return tensors | spread_all(learned)


def forward_with(model: nn.Module, tensors: Tensors, images: Tensor) -> Tensor:
    """Return the features (B, D) of images, with other tensors in place of the model's own."""
    return functional_call(model, tensors, (images,))


def classify_with(model: nn.Module, tensors: Tensors, features: Tensor) -> Tensor:
    """Return the logits (B, C) of features, with other tensors in place of the model's own."""
    for part in CLASSIFIER_PARTS:
        prefix = f"{part}."
        names = [name for name in tensors if name.startswith(prefix)]
        part_tensors = {name.removeprefix(prefix): tensors[name] for name in names}
        features = functional_call(model.get_submodule(part), part_tensors, (features,))
    return features


def inner_update(
    tensors: Tensors,
    loss: Tensor,
    step_size: float,
    *,
    second_order: bool = False,
    keep_graph: bool = False,
) -> Tensors:
    """Return the temporary values rho' = clip(rho - step_size * d loss / d rho).

    The clip is straight-through: the value stays in [0, 1], the gradient passes. rho starts at 1 in
    the paper, where a plain clip would stop every gradient. Parameters other than rho, which MLDG
    moves as well, are not clipped. First order treats d loss / d rho as a constant.
    """
    gradients = torch.autograd.grad(
        loss,
        list(tensors.values()),
        create_graph=second_order,
        retain_graph=second_order or keep_graph,
        materialize_grads=True,  # without a cross-entropy, no gradient reaches MLDG's classifier
    )
    updated = {}
    for (name, value), gradient in zip(tensors.items(), gradients, strict=True):
        moved = value - step_size * gradient  # rho - step_size * d loss / d rho
        if is_rho(name):
            # the value of clip(moved), the gradient of moved
            moved = moved.detach().clamp(0, 1) + (moved - moved.detach())
        updated[name] = moved
    return updated


def descend(
    model: nn.Module, tensors: Tensors, loss: Tensor, optimizers: Sequence[Optimizer]
) -> None:
    """Step the model's own parameters by the gradients of the stand-ins `tensors`."""
    gradients = torch.autograd.grad(loss, list(tensors.values()), materialize_grads=True)
    parameters = dict(model.named_parameters())
    for name, gradient in zip(tensors, gradients, strict=True):
        # A fused optimiser requires that a gradient has the memory order of its parameter.
        parameters[name].grad = torch.empty_like(parameters[name]).copy_(gradient)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    clip_rho(model)


@contextmanager
def normalising_with(model: nn.Module, *, running: bool) -> Iterator[None]:
    """Let the model normalise with its running statistics, or with those of the batch."""
    training = model.training
    model.train(not running)
    try:
        yield
    finally:
        model.train(training)


def batch_statistics(model: nn.Module, updated: Tensors) -> Tensors:
    """Return the statistics of the one batch that has updated copies of the running statistics.

    A running statistic r follows r <- (1 - m) r + m s with momentum m, so s = r + (r' - r) / m.
    Variances are the unbiased ones.

    Args:
        updated: the copies after the forward pass of that batch, by buffer name.
    """
    statistics = {}
    for name, running in model.named_buffers():
        layer, _, statistic = name.rpartition(".")
        if statistic in ("running_mean", "running_var"):
            momentum: Any = model.get_submodule(layer).momentum
            # s = r + (r' - r) / m
            statistics[name] = running + (updated[name] - running) / momentum
    return statistics
