"""What identifies a training, and the state from which a killed one resumes."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from metabin import compute
from metabin.config import Config
from metabin.files import write_bytes
from metabin.methods.method import Method
from metabin.model import distributed
from metabin.model.pretrained import pretrained_identity

CANDIDATES = "*.safetensors"
CHECKPOINTS = {"checkpoint_every", "checkpoint_seconds"}  # parameters that decide no outcome
LOCK = "lock"  # the file beside a state that names the process which trains
logger = logging.getLogger("metabin.engine")


def identity(
    config: Config, method: Method, seed: int, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything but the code that decides the outcome of a training, as plain values."""
    return {
        **_without_machine(config, method, seed, manifest),
        "device": compute.prepare(config.compute).type,
        **_own_statistics(config, distributed.num_ranks()),
    }


def possible_digests(
    config: Config, method: Method, seed: int, manifest: Mapping[str, Any], code: Iterable[Path]
) -> set[str]:
    """Return the digests that the states of a training have, on whatever device it ran.

    Args:
        config, method, seed, manifest: as of `identity`.
        code: as of `state_digest`.
    """
    values = _without_machine(config, method, seed, manifest)
    num_ranks = config.compute.devices * config.compute.nodes
    values |= _own_statistics(config, num_ranks)
    return {state_digest({**values, "device": device}, code) for device in ("cpu", "cuda")}


def _without_machine(
    config: Config, method: Method, seed: int, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what identifies a training on every machine."""
    sections = ["model", "optim", "augment", "record"]
    if method.is_episodic or method.learns_on_target:
        sections.append("meta")
    return {
        "method": method.name,
        "seed": seed,
        "manifest": dict(manifest),
        "num_threads": config.compute.num_threads,
        "precision": config.compute.precision,
        "pretrained": pretrained_identity(config.model.pretrained),
        **{
            section: getattr(config, section).model_dump(exclude=CHECKPOINTS)
            for section in sections
        },
    }


def _own_statistics(config: Config, num_ranks: int) -> dict[str, int]:
    """Return the number of ranks where it changes more than the rounding of the outcome."""
    is_own = num_ranks > 1 and config.compute.statistics == "device"
    return {"ranks_with_own_statistics": num_ranks} if is_own else {}


def values_digest(values: Mapping[str, Any]) -> str:
    """Return the sha256 of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def state_digest(values: Mapping[str, Any], code: Iterable[Path]) -> str:
    """Return the sha256 of plain values and of code: equal for trainings with equal outcomes.

    Args:
        values: as `identity` returns them.
        code: files and folders of Python files.
    """
    digest = hashlib.sha256(values_digest(values).encode())
    for path in code:
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def save_state(path: Path, digest: str, state: Mapping[str, Any]) -> None:
    """Write the whole state of a training: tensors and plain values only.

    It names the candidates beside it, without which it is of no use.
    """
    candidates = [str(file.relative_to(path.parent)) for file in path.parent.rglob(CANDIDATES)]
    buffer = io.BytesIO()
    torch.save({"digest": digest, "candidates": sorted(candidates), **state}, buffer)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path, digest: str) -> dict[str, Any] | None:
    """Return the state to resume from; None if there is none or it is that of another training.

    A state that is damaged, or whose candidates are missing, is left with a warning.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        is_same = state.pop("digest") == digest
        candidates: list[str] = state.pop("candidates")
    except Exception as error:  # torch raises several types for damaged files
        reason = f"is damaged ({type(error).__name__})"
    else:
        missing = [name for name in candidates if not (path.parent / name).is_file()]
        if not missing:
            return state if is_same else None
        reason = f"lacks {missing[0]}"
    logger.warning("%s %s, so the training starts from its first step", path, reason)
    return None
