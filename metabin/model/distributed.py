"""One training on several ranks: what one computes, every other one knows.

Each rank runs the backbone on its share of every batch. `gather` joins the features, and from there
on all ranks compute the same: losses of the whole batch, and the gradients of the neck and the
classifier. Gradients of what acts before `gather` are parts, which `spread` sums.

    gather   forward: join the rows of all ranks;   backward: the rows of this rank
    spread   forward: the same tensor;              backward: the sum over all ranks

The backward pass of each is made of the same two kinds of operations, so that gradients of any
order are right. On a single rank both return their input.

Source: the conjugate operators f and g of Shoeybi et al. 2019 (Megatron-LM).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from metabin.errors import ConfigError


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Join the other ranks, if `torchrun` or `stages.ranks` started this process as one of several.

    Args:
        device: compute.device; a rank on CUDA uses the GPU of its number on its machine.
    Raises:
        ConfigError: there are fewer GPUs than ranks on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    on_cuda = device != "cpu" and torch.cuda.is_available()
    if on_cuda:
        number = int(os.environ["LOCAL_RANK"])
        if number >= (count := torch.cuda.device_count()):
            raise ConfigError(
                f"compute.devices is {os.environ['LOCAL_WORLD_SIZE']}, but torch finds {count} "
                "CUDA devices; lower it"
            )
        torch.cuda.set_device(number)
    dist.init_process_group("nccl" if on_cuda else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def num_ranks() -> int:
    """Return the number of ranks of this training, 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this rank, from 0."""
    return dist.get_rank() if num_ranks() > 1 else 0


def gather(rows: Tensor) -> Tensor:
    """Join the rows of all ranks, in the order of the ranks: (B / R, ...) -> (B, ...)."""
    return Gather.apply(rows) if num_ranks() > 1 else rows


def spread(tensor: Tensor) -> Tensor:
    """Return a tensor that all ranks know, for use on the share of each."""
    return Spread.apply(tensor) if num_ranks() > 1 else tensor


def spread_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Spread tensors by name, with one sum for all of them in the backward pass."""
    if num_ranks() == 1 or not tensors:
        return dict(tensors)
    flat = spread(torch.cat([tensor.reshape(-1) for tensor in tensors.values()]))
    parts = flat.split([tensor.numel() for tensor in tensors.values()])
    return {
        name: part.view_as(tensor)
        for part, (name, tensor) in zip(parts, tensors.items(), strict=True)
    }


@torch.no_grad()
def sum_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace the gradients of parameters by their sums over all ranks, in one operation."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if num_ranks() == 1 or not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


@torch.no_grad()
def average(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their means over all ranks."""
    for tensor in tensors:
        dist.all_reduce(tensor)
        tensor /= num_ranks()


def require_equal(name: str, value: int) -> None:
    """Check that a number is the same on all ranks.

    Raises:
        ConfigError: it is not.
    """
    if num_ranks() > 1:
        values: list[Any] = [None] * num_ranks()
        dist.all_gather_object(values, value)
        if len(set(values)) > 1:
            raise ConfigError(
                f"the ranks disagree about {name}: {values}; all of them must see the same folder, "
                "with the same code, parameters and data"
            )


def join_moments(mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance of the values of all ranks, each with as many values.

        m = mean_r m_r,    v = mean_r (v_r + (m_r - m)^2)

    Args:
        mean, var: those of this rank, (C,) each; the variance is the biased one.
    """
    means, variances = gather(torch.stack([mean, var])[None]).unbind(1)  # (R, C) each
    batch_mean = means.mean(0)
    batch_var = (variances + (means - batch_mean).square()).mean(0)
    joined_mean, joined_var = spread(torch.stack([batch_mean, batch_var])).unbind()
    return joined_mean, joined_var


@torch.no_grad()
def move_running(
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor,
    var: Tensor,
    momentum: float,
    num_values: int,
) -> None:
    """Move running statistics: r <- r + momentum (statistic - r), the variance unbiased."""
    if running_mean is not None and running_var is not None:
        unbiased = var * (num_values / (num_values - 1))
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (unbiased - running_var)


def all_sum(tensor: Tensor) -> Tensor:
    """Return the sum over all ranks, which all of them know."""
    return Sum.apply(tensor) if num_ranks() > 1 else tensor


class Gather(torch.autograd.Function):
    """Join the rows of all ranks."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(num_ranks())]
        dist.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return Split.apply(grad)


class Split(torch.autograd.Function):
    """Return the rows of this rank."""

    @staticmethod
    def forward(ctx: Any, joined: Tensor) -> Tensor:
        return joined.chunk(num_ranks())[rank()].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return Gather.apply(grad)


class Spread(torch.autograd.Function):
    """Return the tensor; its gradient is the sum over all ranks."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return Sum.apply(grad)


class Sum(torch.autograd.Function):
    """Return the sum over all ranks."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return Spread.apply(grad)
