"""The norms by name, and how one takes the place of every BatchNorm of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from metabin.model.fused import FusedBatchInstanceNorm2d, FusedInstanceNorm2d
from metabin.model.variants import HalfNorm2d, SharedAffineBatchInstanceNorm2d


class MakeNorm(Protocol):
    """Makes the layer that takes the place of `bn`.

    What `bn` has learned goes on in the new layer's batch half; an instance half starts at weight 1 and bias 0. `rho`
    is the start of the balance, where there is one; `early` says whether the place is in an early stage. No random
    numbers are used, so that all norms leave a network with the same convolutions.
    """

    def __call__(self, bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module: ...


def _keep(bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module:
    return bn


def _instance(bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module:
    return FusedInstanceNorm2d(bn.num_features, bn.eps)


def _half(bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module:
    layer = HalfNorm2d(bn.num_features, eps=bn.eps, momentum=_momentum(bn))
    _fill(layer.batch, {name: value[: layer.num_batch] for name, value in _learned(bn).items()})
    return layer


def _bin(bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module:
    layer = FusedBatchInstanceNorm2d(bn.num_features, eps=bn.eps, momentum=_momentum(bn), rho=rho)
    renamed = {"weight": "bn_weight", "bias": "bn_bias"}
    _fill(layer, {renamed.get(name, name): value for name, value in _learned(bn).items()})
    return layer


def _bin_shared(bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module:
    layer = SharedAffineBatchInstanceNorm2d(bn.num_features, eps=bn.eps, momentum=_momentum(bn), rho=rho)
    _fill(layer, _learned(bn))
    return layer


def _dual(bn: nn.BatchNorm2d, *, rho: float, early: bool) -> nn.Module:
    return (_instance if early else _keep)(bn, rho=rho, early=early)


NORMS: dict[str, MakeNorm] = {
    "bn": _keep,
    "in": _instance,
    "half": _half,
    "bin": _bin,
    "bin_shared": _bin_shared,
    "dual": _dual,  # DualNorm, Jia et al. 2019; in the reference MobileNetV2's alone
}


def swap_norms(network: nn.Module, norm: str, *, rho: float, early_stages: Sequence[str] = ()) -> nn.Module:
    """Put the named normalisation in place of every BatchNorm2d, in place. Weights elsewhere are untouched.

    Args:
        network: its BatchNorms may be trained, see `MakeNorm`; of an IBN layer it is the batch half that is replaced.
        norm: a name in `NORMS`.
        rho: start value of the balance, in [0, 1]; "bin" and "bin_shared" only.
        early_stages: names of the submodules that "dual" gives InstanceNorm.

    Raises:
        ValueError: an unknown norm, a rho outside [0, 1], or "dual" without early stages.
    """
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known are {sorted(NORMS)}")
    if norm == "dual" and not early_stages:
        raise ValueError("the norm 'dual' needs a backbone with early stages; of ours, those are the MobileNets")
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            early = any(f"{name}.".startswith(f"{stage}.") for stage in early_stages)
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, NORMS[norm](layer, rho=rho, early=early))
    return network


def _learned(bn: nn.BatchNorm2d) -> dict[str, Tensor]:
    state = bn.state_dict()
    return {name: state[name] for name in ("weight", "bias", "running_mean", "running_var")}


@torch.no_grad()
def _fill(layer: nn.Module, values: dict[str, Tensor]) -> None:
    state = layer.state_dict()
    for name, value in values.items():
        state[name].copy_(value)


def _momentum(bn: nn.BatchNorm2d) -> float:
    assert bn.momentum is not None, "a cumulative average, which none of our backbones asks for"
    return bn.momentum
