"""The state from which a killed training resumes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from metabin.files import write_bytes

PACKAGE = Path(__file__).parents[1]
TRAINING_CODE = (
    "compute.py",
    "data/augmentation.py",
    "data/loading.py",
    "data/sampling.py",
    "engine",
    "losses.py",
    "model",
    "seeding.py",
)


def values_digest(values: Mapping[str, Any]) -> str:
    """The sha256 of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def state_digest(values: Mapping[str, Any]) -> str:
    """The sha256 of plain values and of the training code: equal only for trainings with equal outcomes."""
    digest = hashlib.sha256(values_digest(values).encode())
    for part in TRAINING_CODE:
        path = PACKAGE / part
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def save_state(path: Path, digest: str, state: Mapping[str, Any]) -> None:
    """Write a training's whole state: tensors and plain values only."""
    buffer = io.BytesIO()
    torch.save({"digest": digest, **state}, buffer)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path, digest: str) -> dict[str, Any] | None:
    """The state to resume from, or None when there is none or it belongs to another training."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state if state.pop("digest", None) == digest else None
