"""Norm layers of a trained network in the plainest form, for export.

In evaluation, the running statistics m and s = 1 / sqrt(running_var + eps) are constants. Let
m_n and s_n = 1 / sqrt(var_n + eps) be the statistics of image n. A batch-instance norm is

    y = rho * (bn_weight * (x - m) * s + bn_bias)
        + (1 - rho) * (in_weight * (x - m_n) * s_n + in_bias)
      = scale * x + instance_scale * (x - m_n) * s_n + shift                                     (1)

    scale          = rho * bn_weight * s
    instance_scale = (1 - rho) * in_weight
    shift          = rho * bn_bias - scale * m + (1 - rho) * in_bias

per channel. All other norms are cases of (1): BatchNorm has instance_scale = 0, InstanceNorm has
scale = 0, and layers that divide their channels have each of the two in some channels.

Folding depends on the case.

- instance_scale = 0 in all channels: y is affine in x, and a convolution before it takes scale and
  shift into its weights and bias. That needs a convolution whose output goes to this norm alone.
- scale = 0 in all channels: one InstanceNormalization with instance_scale and shift.
- Else one InstanceNormalization with instance_scale and shift, plus scale * x. The batch half is
  reduced to one product per value.

The last case cannot fold scale into the convolution. The maps would become z = scale * x with
variance scale^2 * var_n, and

    (z - mean(z)) / sqrt(var(z) + e) = sign(scale) * (x - m_n) / sqrt(var_n + e / scale^2)

equals the normalised x only for e = scale^2 * eps, another number in each channel.
InstanceNormalization has one epsilon for all channels, and channels with rho = 0 have scale = 0,
for which z holds nothing of x.

The other form of the last case, y = (scale + instance_scale * s_n) * x + (shift - instance_scale *
m_n * s_n) with the statistics from ReduceMean, has 13 operations instead of 3. On one thread it is
0 to 9 % faster in ONNX Runtime 1.32, and 22 to 26 % slower in OpenVINO 2026.4 (the small ResNet and
MobileNetV2).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from metabin.model.fused.layers import norm_relu
from metabin.model.norm import BatchInstanceNorm2d
from metabin.model.variants import IBN, HalfNorm2d, SharedAffineBatchInstanceNorm2d


@dataclass(frozen=True, slots=True)
class NormTerms:
    """The terms of equation (1), (C,) each, and epsilon of the images' variances."""

    scale: Tensor
    instance_scale: Tensor
    shift: Tensor
    eps: float


def fold_norms(network: nn.Module) -> nn.Module:
    """Return a copy of a network that computes the same in evaluation, with plain norm layers.

    Args:
        network: A backbone of `metabin.backbones` with norms of `metabin.model.swapping.NORMS`.

    Raises:
        ValueError: The network is in training mode.
    """
    if network.training:
        raise ValueError(
            "the network is in training mode, in which norms have no constants; call eval() first"
        )
    folded = copy.deepcopy(network).requires_grad_(False)
    terms = _norms(folded)
    convolutions = _convolutions_before(folded, terms)
    for name, norm in terms.items():
        if not norm.instance_scale.any() and name in convolutions:
            _scale_outputs(convolutions[name], norm)
            folded.set_submodule(name, nn.Identity())
        else:
            folded.set_submodule(name, _plain_norm(norm))
    return folded


def norm_terms(norm: Any) -> NormTerms | None:
    """Return the terms of a norm layer in evaluation; None for another module."""
    match norm:
        case BatchInstanceNorm2d():
            scale = norm.rho * norm.bn_weight * _inverse_deviation(norm)
            bias = norm.rho * norm.bn_bias + (1 - norm.rho) * norm.in_bias
            instance_scale = (1 - norm.rho) * norm.in_weight
        case SharedAffineBatchInstanceNorm2d():
            scale = norm.rho * norm.weight * _inverse_deviation(norm)
            bias = norm.bias
            instance_scale = (1 - norm.rho) * norm.weight
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            scale = norm.weight * _inverse_deviation(norm)
            bias = norm.bias
            instance_scale = torch.zeros_like(scale)
        case nn.InstanceNorm2d():
            scale = torch.zeros_like(norm.weight)
            return NormTerms(scale, norm.weight, norm.bias, norm.eps)
        case HalfNorm2d():
            return _concatenate(norm.batch, norm.instance)
        case IBN():
            return _concatenate(norm.IN, norm.BN)
        case _:
            return None
    # shift = bias - scale * m
    return NormTerms(scale, instance_scale, bias - scale * norm.running_mean, norm.eps)


class BatchScaledInstanceNorm(nn.Module):
    """instance_norm(x) + scale * x, which is equation (1)."""

    def __init__(self, instance: nn.InstanceNorm2d, scale: Tensor) -> None:
        super().__init__()
        self.instance = instance
        self.register_buffer("scale", per_channel(scale))

    def forward(self, x: Tensor) -> Tensor:
        return self.instance(x) + x * self.get_buffer("scale")


class Affine(nn.Module):
    """scale * x + shift per channel, for maps (N, C, H, W)."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", per_channel(scale))
        self.register_buffer("shift", per_channel(shift))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.get_buffer("scale") + self.get_buffer("shift")


def per_channel(values: Tensor) -> Tensor:
    """Return values (C,) in the shape (C, 1, 1), which broadcasts over maps."""
    return values[:, None, None].clone()


def _plain_norm(norm: NormTerms) -> nn.Module:
    if not norm.instance_scale.any():
        return Affine(norm.scale, norm.shift)
    instance = nn.InstanceNorm2d(len(norm.scale), norm.eps, affine=True)
    instance.weight = nn.Parameter(norm.instance_scale, requires_grad=False)
    instance.bias = nn.Parameter(norm.shift, requires_grad=False)
    return BatchScaledInstanceNorm(instance, norm.scale) if norm.scale.any() else instance


def _norms(network: nn.Module) -> dict[str, NormTerms]:
    """Return the terms of all norms by name; those of a norm's parts are part of its terms."""
    terms: dict[str, NormTerms] = {}
    for name, layer in network.named_modules():  # a module comes before its parts
        is_part = any(name.startswith(f"{norm}.") for norm in terms)
        if not is_part and (norm := norm_terms(layer)):
            terms[name] = norm
    return terms


def _inverse_deviation(norm: Any) -> Any:
    """Return s = 1 / sqrt(running_var + eps)."""
    return torch.rsqrt(norm.running_var + norm.eps)


def _concatenate(*parts: nn.Module) -> NormTerms:
    """Return the terms of a layer whose parts normalise consecutive channels."""
    terms = [norm for part in parts if (norm := norm_terms(part))]
    epsilons = {norm.eps for norm in terms}
    assert len(epsilons) == 1, "InstanceNormalization has one epsilon for all channels"
    return NormTerms(
        torch.cat([norm.scale for norm in terms]),
        torch.cat([norm.instance_scale for norm in terms]),
        torch.cat([norm.shift for norm in terms]),
        epsilons.pop(),
    )


def _scale_outputs(convolution: nn.Conv2d, norm: NormTerms) -> None:
    """Fold an affine norm into the convolution before it: scale * (w * x + b) + shift."""
    bias = norm.shift
    if convolution.bias is not None:
        bias = bias + norm.scale * convolution.bias
    weight = convolution.weight * norm.scale[:, None, None, None]
    convolution.weight = nn.Parameter(weight, requires_grad=False)
    convolution.bias = nn.Parameter(bias, requires_grad=False)


def _convolutions_before(network: nn.Module, norms: Collection[str]) -> dict[str, nn.Conv2d]:
    """Return the convolutions whose output goes to one norm alone, by the name of that norm."""
    graph = _Tracer(norms).trace(network)
    calls = Counter(node.target for node in graph.nodes)  # a module may be called twice
    convolutions = {}
    for node in graph.nodes:
        if node.op != "call_module" or calls[node.target] > 1 or len(node.users) != 1:
            continue
        layer = network.get_submodule(node.target)
        norm = _norm_of(node, next(iter(node.users)))
        if isinstance(layer, nn.Conv2d) and norm in norms and calls[norm] == 1:
            convolutions[norm] = layer
    return convolutions


def _norm_of(x: Any, user: Any) -> str | None:
    """Return the name of the layer that a node of the graph applies to x and to nothing else."""
    # norm_relu(norm, x, residual) or norm(x)
    norm, *inputs = user.args if user.target is norm_relu else (user, *user.args)
    is_input = bool(inputs) and inputs[0] is x and inputs.count(x) == 1
    return norm.target if is_input else None


class _Tracer(fx.Tracer):
    """Record the calls of layers and of `norm_relu`, whose first argument is a norm."""

    def __init__(self, norms: Collection[str]) -> None:
        super().__init__(autowrap_functions=(norm_relu,))
        self.norms = norms

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        is_norm = module_qualified_name in self.norms
        return is_norm or super().is_leaf_module(m, module_qualified_name)
