"""Trained weights on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from metabin.config import Model
from metabin.errors import CheckpointError
from metabin.files import write_bytes
from metabin.model.embedder import Embedder, build_embedder
from metabin.model.tensor_checks import require_fit
from metabin.registry import find_method


def save_weights(path: Path, model: nn.Module, header: Mapping[str, Any]) -> None:
    """Write a model's parameters and buffers as safetensors, with plain values in the header."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    # One header entry: safetensors writes several in no fixed order, and equal trainings must give
    # equal bytes.
    write_bytes(path, save(tensors, metadata={"metabin": json.dumps(header, sort_keys=True)}))


def read_header(path: Path) -> dict[str, Any]:
    """Return the plain values that `save_weights` wrote into the header.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("metabin", "{}"))
    except Exception as error:  # safetensors raises its own kinds and OSError
        raise CheckpointError(
            f"{path} is not a readable weights file: {error}; train again to write it"
        ) from None


def load_weights(path: Path, model: nn.Module) -> None:
    """Read weights into a model with the same tensors.

    Raises:
        CheckpointError: the file is missing or damaged, or some tensors do not fit.
    """
    read_header(path)
    with safe_open(path, framework="pt") as file:
        names = file.keys()  # the file is no mapping
        tensors = {name: file.get_tensor(name) for name in names}
    require_fit(path, tensors, model.state_dict())
    model.load_state_dict(tensors)


def load_model(path: Path, model: Model, method: str, device: torch.device) -> Embedder:
    """Load a trained model from its weights file, on the device and in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, of another method, or does not fit the
            backbone.
    """
    header = read_header(path)
    if header.get("method") != method:
        raise CheckpointError(
            f"{path} holds weights of the method {header.get('method')}, expected {method}; "
            "train again"
        )
    norm = find_method(method).norm
    embedder = build_embedder(
        model.backbone, header["num_classes"], norm=norm, rho_per=model.rho_per
    )
    load_weights(path, embedder)
    return embedder.to(device).eval()
