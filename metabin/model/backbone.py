"""Backbones by name: ordinary networks with BatchNorm, without pooling and classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from metabin.model.mobilenet import build_mobilenet
from metabin.model.small_resnet import SmallResNet
from metabin.model.torchvision_nets import build_resnet, build_resnet50_ibn, build_torchvision_mobilenet


@dataclass(frozen=True, slots=True)
class Backbone:
    """What is known of a backbone before it is built.

    Args:
        build: makes the network, untrained, mapping (N, 3, H, W) to (N, D, h, w).
        num_features: D.
        early_stages: names of the submodules in which DualNorm normalises by instance; none where that is not defined.
    """

    build: Callable[[], nn.Module]
    num_features: int
    early_stages: tuple[str, ...] = ()


# from the stem to the last block of 96 channels (at width 1), the authors' layer1 to layer6
EARLY = tuple(f"conv{index}" for index in range(1, 7))
TORCHVISION_EARLY = tuple(f"features.{index}" for index in range(14))

BACKBONES: dict[str, Backbone] = {
    "resnet_small": Backbone(SmallResNet, 128),
    "resnet18": Backbone(partial(build_resnet, "resnet18"), 512),
    "resnet34": Backbone(partial(build_resnet, "resnet34"), 512),
    "resnet50": Backbone(partial(build_resnet, "resnet50"), 2048),
    "resnet101": Backbone(partial(build_resnet, "resnet101"), 2048),
    "resnet50_ibn": Backbone(build_resnet50_ibn, 2048),
    "mobilenetv2_1.0": Backbone(partial(build_mobilenet, 1.0), 1280, EARLY),
    "mobilenetv2_1.4": Backbone(partial(build_mobilenet, 1.4), 1792, EARLY),
    "mobilenetv2_torchvision_1.0": Backbone(partial(build_torchvision_mobilenet, 1.0), 1280, TORCHVISION_EARLY),
    "mobilenetv2_torchvision_1.4": Backbone(partial(build_torchvision_mobilenet, 1.4), 1792, TORCHVISION_EARLY),
}


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """The named network, untrained, mapping (N, 3, H, W) to (N, D, h, w), and its D.

    Raises:
        ValueError: an unknown name.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; known are {sorted(BACKBONES)}")
    backbone = BACKBONES[name]
    return backbone.build(), backbone.num_features
