"""Weights on disk, and the state from which a killed training resumes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from metabin.errors import CheckpointError
from metabin.files import write_bytes

PACKAGE = Path(__file__).parents[1]
TRAINING_CODE = ("data/loading.py", "data/sampling.py", "engine", "losses.py", "model", "seeding.py")


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


def save_weights(path: Path, model: nn.Module, header: Mapping[str, Any]) -> None:
    """Write a model's parameters and buffers as safetensors, with plain values beside them in the header."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    # one header entry: safetensors writes several in no fixed order, and equal trainings must give equal bytes
    write_bytes(path, save(tensors, metadata={"metabin": json.dumps(header, sort_keys=True)}))


def read_header(path: Path) -> dict[str, Any]:
    """The plain values that `save_weights` put beside the weights."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("metabin", "{}"))
    except Exception as error:  # safetensors raises its own kinds and OSError
        raise CheckpointError(f"{path} is not a readable weights file: {error}; train again to make it") from None


def load_weights(path: Path, model: nn.Module) -> None:
    """Read weights into a model of the same shape.

    Raises:
        CheckpointError: a file that is missing or damaged, or the first tensors that do not fit.
    """
    read_header(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    wanted = model.state_dict()
    problems = [f"{name} is not in the file" for name in wanted if name not in tensors]
    problems += [f"{name} is not in the network" for name in tensors if name not in wanted]
    problems += [f"{name} has shape {tuple(tensors[name].shape)}, wanted {tuple(value.shape)}"
                 for name, value in wanted.items() if name in tensors and tensors[name].shape != value.shape]
    if problems:
        raise CheckpointError(f"{path} does not fit the network: {'; '.join(problems[:3])}"
                              + (f" and {len(problems) - 3} more" if len(problems) > 3 else ""))
    model.load_state_dict(tensors)


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

