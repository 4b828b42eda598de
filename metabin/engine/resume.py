"""The state from which a killed training resumes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from metabin.files import write_bytes


def values_digest(values: Mapping[str, Any]) -> str:
    """Return the sha256 of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def state_digest(values: Mapping[str, Any], code: Iterable[Path]) -> str:
    """Return the sha256 of plain values and of code: equal for trainings with equal outcomes.

    Args:
        values: as `metabin.engine.trainer.identity` returns them.
        code: files and folders of Python files.
    """
    digest = hashlib.sha256(values_digest(values).encode())
    for path in code:
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def save_state(path: Path, digest: str, state: Mapping[str, Any]) -> None:
    """Write the whole state of a training: tensors and plain values only."""
    buffer = io.BytesIO()
    torch.save({"digest": digest, **state}, buffer)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path, digest: str) -> dict[str, Any] | None:
    """Return the state to resume from; None if there is none or it is that of another training."""
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state if state.pop("digest", None) == digest else None
