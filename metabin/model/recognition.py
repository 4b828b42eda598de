"""Recognition of the network to which a file's tensors belong, for error messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from metabin.backbones import BACKBONES
from metabin.model.weight_layouts import is_counter

# Tensor names that occur in one kind of network only.
OTHERS = {
    "OSNet (deep-person-reid)": re.compile(r"conv2\.0\.(conv2a\.|gate\.fc1\.)"),
    "MobileNetV2 or EfficientNet with timm's names": re.compile(r"conv_stem\."),
    "a vision transformer": re.compile(r"(.*\.)?blocks\.\d+\.attn\."),
    "a transformer of the Hugging Face library": re.compile(
        r"(.*\.)?encoder\.layers?\.\d+\.attention\."
    ),
    "a ResNet with squeeze-and-excitation": re.compile(r"layer1\.0\.(se|se_module)\."),
    "a ResNet with non-local layers": re.compile(r"NL_\d\."),
    "a DenseNet": re.compile(r"features\.denseblock1\."),
    "MGN or another net with branches": re.compile(r"b\d+\.0\."),
}


def recognise(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the network of tensors, as "model.backbone: resnet34" or in words; None if unknown."""
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    if backbone := next((name for name in BACKBONES if _shapes(name) == shapes), None):
        return f"model.backbone: {backbone}"
    kind = next(
        (kind for kind, names in OTHERS.items() if any(names.match(name) for name in shapes)), None
    )
    if kind is None:
        return None
    return f"{kind}, which is no backbone here; known are {', '.join(BACKBONES)}"


@cache
def _shapes(backbone: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):  # shapes without memory or random numbers
        state = BACKBONES[backbone].build().state_dict()
    return {name: tuple(value.shape) for name, value in state.items() if not is_counter(name)}
