"""The base step of joint training in the order of operations of the authors' code."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from metabin.engine.base_step import BASE_LOSSES, base_losses
from metabin.losses.inputs import WeightedLosses, scalars
from metabin.model.distributed import sum_gradients
from metabin.model.embedder import Embedder
from metabin.model.norm import clip_rho, is_rho
from metabin.types import Batch


def reference_step(
    model: Embedder,
    batch: Batch,
    optimizer: Optimizer,
    rho_optimizer: Optimizer,
    losses: WeightedLosses = BASE_LOSSES,
) -> dict[str, Tensor]:
    """Take one base step by two backward passes over one graph; the weights move in between.

        weights <- weights - step(d loss / d weights)
        rho     <- rho - lr * g

    g is the gradient of no function: the second pass multiplies activations of the forward pass
    with weights that have moved since. Everything else is as in
    `metabin.engine.base_step.base_step` with both optimisers.

    Returns: the unweighted losses, {"base/ce": ..., "base/triplet": ...}.
    Source: the authors' training without episodes; docs/method.md.
    """
    # Tensors in the memory of the parameters, but with their own count of changes: autograd refuses
    # a pass over tensors that have changed since the forward pass, and here it must not notice.
    aliases = {
        name: parameter.data.requires_grad_(parameter.requires_grad)
        for name, parameter in model.named_parameters()
    }
    values = functional_call(
        _LossesOf(model, losses), {f"model.{name}": alias for name, alias in aliases.items()}, batch
    )
    loss = losses.total(values)
    learned = [name for name, alias in aliases.items() if alias.requires_grad]
    _descend(model, loss, aliases, [name for name in learned if not is_rho(name)], optimizer)
    _descend(model, loss, aliases, [name for name in learned if is_rho(name)], rho_optimizer)
    clip_rho(model)
    return scalars("base", values)


def _descend(
    model: Embedder,
    loss: Tensor,
    aliases: dict[str, Tensor],
    names: list[str],
    optimizer: Optimizer,
) -> None:
    """Step the named parameters by the gradients of their aliases, and keep the graph."""
    gradients = torch.autograd.grad(
        loss, [aliases[name] for name in names], retain_graph=True, materialize_grads=True
    )
    for name, gradient in zip(names, gradients, strict=True):
        model.get_parameter(name).grad = gradient
    sum_gradients(model.get_parameter(name) for name in names if name.startswith("backbone."))
    optimizer.step()
    optimizer.zero_grad()


class _LossesOf(nn.Module):
    """The base losses as a module, so that `functional_call` can exchange the parameters."""

    def __init__(self, model: Embedder, losses: WeightedLosses) -> None:
        super().__init__()
        self.model = model
        self.losses = losses

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return base_losses(self.model, batch, self.losses)
