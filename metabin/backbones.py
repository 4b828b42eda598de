"""The backbones by name: the function that builds each, and its properties.

Imports no torch, so that the configuration can read this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Backbone:
    """Properties of a backbone.

    Args:
        builder: "module:function" (or class) that builds the network, untrained, without pooling
            and classifier: (N, 3, H, W) -> (N, D, H / stride, W / stride).
        num_features: D.
        stride: ratio of the sizes of the image and the last map.
        arguments: of the builder.
        torchvision_weights: the enumeration of torchvision's weights that fit it; "" for none.
        early_stages: names of the submodules in which DualNorm normalises by instance; empty if
            DualNorm is not defined for the backbone.
        first_stages: names of the submodules after which MixStyle mixes.
    """

    builder: str
    num_features: int
    stride: int = 16
    arguments: tuple[str | float, ...] = ()
    torchvision_weights: str = ""
    early_stages: tuple[str, ...] = ()
    first_stages: tuple[str, ...] = ("layer1", "layer2")

    def build(self) -> nn.Module:
        """Build the network, untrained."""
        module, _, function = self.builder.partition(":")
        return getattr(import_module(module), function)(*self.arguments)


RESNET = "metabin.model.torchvision_nets:build_resnet"
MOBILENET = "metabin.model.mobilenet:build_mobilenet"
TORCHVISION_MOBILENET = "metabin.model.torchvision_nets:build_torchvision_mobilenet"
# From the stem to the last block of 96 channels (at width 1): layer1 to layer6 in the authors'
# code.
EARLY = tuple(f"conv{index}" for index in range(1, 7))
TORCHVISION_EARLY = tuple(f"features.{index}" for index in range(14))
# The last blocks of 24 and of 32 channels (at width 1), at a quarter and an eighth of the size.
FIRST = ("conv3", "conv4")
TORCHVISION_FIRST = ("features.3", "features.6")

BACKBONES = {  # in the order of error messages
    "resnet_small": Backbone(
        "metabin.model.small_resnet:SmallResNet", 128, stride=8, first_stages=("block1", "block2")
    ),
    "resnet18": Backbone(
        RESNET, 512, arguments=("resnet18",), torchvision_weights="ResNet18_Weights"
    ),
    "resnet34": Backbone(
        RESNET, 512, arguments=("resnet34",), torchvision_weights="ResNet34_Weights"
    ),
    "resnet50": Backbone(
        RESNET, 2048, arguments=("resnet50",), torchvision_weights="ResNet50_Weights"
    ),
    "resnet101": Backbone(
        RESNET, 2048, arguments=("resnet101",), torchvision_weights="ResNet101_Weights"
    ),
    "resnet50_ibn": Backbone("metabin.model.torchvision_nets:build_resnet50_ibn", 2048),
    "mobilenetv2_1.0": Backbone(
        MOBILENET, 1280, arguments=(1.0,), early_stages=EARLY, first_stages=FIRST
    ),
    "mobilenetv2_1.4": Backbone(
        MOBILENET, 1792, arguments=(1.4,), early_stages=EARLY, first_stages=FIRST
    ),
    "mobilenetv2_torchvision_1.0": Backbone(
        TORCHVISION_MOBILENET,
        1280,
        arguments=(1.0,),
        torchvision_weights="MobileNet_V2_Weights",
        early_stages=TORCHVISION_EARLY,
        first_stages=TORCHVISION_FIRST,
    ),
    "mobilenetv2_torchvision_1.4": Backbone(
        TORCHVISION_MOBILENET,
        1792,
        arguments=(1.4,),
        early_stages=TORCHVISION_EARLY,
        first_stages=TORCHVISION_FIRST,
    ),
}


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """Build a network by name, untrained: (N, 3, H, W) -> (N, D, h, w). Return it and D.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; known are {sorted(BACKBONES)}")
    backbone = BACKBONES[name]
    return backbone.build(), backbone.num_features
