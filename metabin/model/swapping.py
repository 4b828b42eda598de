"""The norms by name, and the replacement of every BatchNorm of a network.

A new norm is one file with a layer and a `MakeNorm`, and one line in NORMS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from metabin.model.fused.layers import FusedBatchInstanceNorm2d, FusedInstanceNorm2d
from metabin.model.norm import BatchInstanceNorm2d
from metabin.model.variants import HalfNorm2d, SharedAffineBatchInstanceNorm2d


@dataclass(frozen=True, slots=True)
class NormStart:
    """The start of norm layers.

    Args:
        rho: the balance, in [0, 1], of norms that have one.
        rho_per: "channel", or "layer" for one rho per layer.
        in_affine: of an instance half with its own affine. "identity": weight 1 and bias 0, as in
            the reference. "copied": what the replaced BatchNorm has learned.
    """

    rho: float
    rho_per: Literal["channel", "layer"]
    in_affine: Literal["identity", "copied"]


class MakeNorm(Protocol):
    """Returns the layer that replaces `bn`; `early` says whether that is in an early stage.

    The values that `bn` has learned go into the batch half of the new layer. No random numbers are
    used, so that all norms leave a network with the same convolutions.
    """

    def __call__(self, bn: nn.BatchNorm2d, start: NormStart, *, early: bool) -> nn.Module: ...


def _keep(bn: nn.BatchNorm2d, start: NormStart, *, early: bool) -> nn.Module:
    return bn


def _instance(bn: nn.BatchNorm2d, start: NormStart, *, early: bool) -> nn.Module:
    layer = FusedInstanceNorm2d(bn.num_features, bn.eps)
    if start.in_affine == "copied":
        _fill(layer, _affine(bn))
    return layer


def _half(bn: nn.BatchNorm2d, start: NormStart, *, early: bool) -> nn.Module:
    layer = HalfNorm2d(bn.num_features, eps=bn.eps, momentum=_momentum(bn))
    learned = _learned(bn)
    _fill(layer.batch, {name: value[: layer.num_batch] for name, value in learned.items()})
    if start.in_affine == "copied":
        affine = _affine(bn)
        _fill(layer.instance, {name: value[layer.num_batch :] for name, value in affine.items()})
    return layer


def _bin(
    bn: nn.BatchNorm2d,
    start: NormStart,
    *,
    early: bool,
    kind: type[BatchInstanceNorm2d] = FusedBatchInstanceNorm2d,
) -> nn.Module:
    layer = kind(
        bn.num_features,
        eps=bn.eps,
        momentum=_momentum(bn),
        rho=start.rho,
        rho_per=start.rho_per,
    )
    names = {"weight": "bn_weight", "bias": "bn_bias"}  # the running statistics keep their names
    _fill(layer, {names.get(name, name): value for name, value in _learned(bn).items()})
    if start.in_affine == "copied":
        _fill(layer, {f"in_{name}": value for name, value in _affine(bn).items()})
    return layer


def _bin_shared(bn: nn.BatchNorm2d, start: NormStart, *, early: bool) -> nn.Module:
    layer = SharedAffineBatchInstanceNorm2d(
        bn.num_features,
        eps=bn.eps,
        momentum=_momentum(bn),
        rho=start.rho,
        rho_per=start.rho_per,
    )
    _fill(layer, _learned(bn))
    return layer


def _dual(bn: nn.BatchNorm2d, start: NormStart, *, early: bool) -> nn.Module:
    return (_instance if early else _keep)(bn, start, early=early)


NORMS: dict[str, MakeNorm] = {
    "bn": _keep,
    "in": _instance,
    "half": _half,
    "bin": _bin,
    "bin_plain": partial(_bin, kind=BatchInstanceNorm2d),  # without fused kernels
    "bin_shared": _bin_shared,
    "dual": _dual,  # DualNorm, Jia et al. 2019; the reference has it for MobileNetV2 alone
}


def swap_norms(
    network: nn.Module,
    norm: str,
    *,
    rho: float,
    rho_per: Literal["channel", "layer"] = "channel",
    in_affine: Literal["identity", "copied"] = "identity",
    early_stages: Sequence[str] = (),
) -> nn.Module:
    """Replace every BatchNorm2d of a network, in place; weights elsewhere do not change.

    Args:
        network: its BatchNorms may be trained, see `MakeNorm`. Of an IBN layer the batch half is
            replaced.
        norm: a name in `NORMS`.
        rho, rho_per, in_affine: the start of the new layers, see `NormStart`.
        early_stages: names of the submodules in which "dual" puts InstanceNorm.

    Raises:
        ValueError: an unknown norm, a rho outside [0, 1], or "dual" without early stages.
    """
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known are {sorted(NORMS)}")
    if norm == "dual" and not early_stages:
        raise ValueError(
            "the norm 'dual' needs a backbone with early stages, as the MobileNets have"
        )
    start = NormStart(rho, rho_per, in_affine)
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.BatchNorm2d):
            early = any(f"{name}.".startswith(f"{stage}.") for stage in early_stages)
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, NORMS[norm](layer, start, early=early))
    return network


def _affine(bn: nn.BatchNorm2d) -> dict[str, Tensor]:
    return {name: _learned(bn)[name] for name in ("weight", "bias")}


def _learned(bn: nn.BatchNorm2d) -> dict[str, Tensor]:
    state = bn.state_dict()
    return {name: state[name] for name in ("weight", "bias", "running_mean", "running_var")}


@torch.no_grad()
def _fill(layer: nn.Module, values: dict[str, Tensor]) -> None:
    state = layer.state_dict()
    for name, value in values.items():
        state[name].copy_(value)


def _momentum(bn: nn.BatchNorm2d) -> float:
    assert bn.momentum is not None, "no backbone uses a cumulative average"
    return bn.momentum
