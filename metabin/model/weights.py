"""Trained models on disk: a folder with the weights and their description."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn

from metabin.errors import CheckpointError
from metabin.files import write_bytes, write_text
from metabin.model.description import COPY_AGAIN, ModelDescription, read_description
from metabin.model.embedder import Embedder, build_embedder
from metabin.model.tensor_checks import require_fit, require_values

WEIGHTS = "model.safetensors"
DESCRIPTION = "config.json"


def save_model(folder: Path, model: nn.Module, description: ModelDescription) -> ModelDescription:
    """Write the weights and the description of a model into a folder.

    Args:
        description: Its sha256 is replaced by that of the weights.

    Returns:
        The description as written.
    """
    digest = save_weights(folder / WEIGHTS, model)
    description = description.model_copy(update={"sha256": digest})
    write_text(folder / DESCRIPTION, description.text())
    return description


def load_model(folder: Path, device: torch.device, *, weights: Path | None = None) -> Embedder:
    """Load a trained model, on the device and in evaluation mode.

    Args:
        folder: Written by `save_model`.
        weights: Another file with weights of this training, such as those of an earlier step.

    Raises:
        CheckpointError: A file is missing or damaged, or the weights do not fit the description.
    """
    description = read_description(folder / DESCRIPTION)
    embedder = build_described(description)
    digest = load_weights(weights or folder / WEIGHTS, embedder)
    if weights is None and digest != description.sha256:
        raise CheckpointError(
            f"{folder / WEIGHTS} is not the file that {DESCRIPTION} beside it describes; "
            "copy both from the same training"
        )
    return embedder.to(device).eval()


def build_described(description: ModelDescription) -> Embedder:
    """Build the network of a description, with random weights.

    Raises:
        CheckpointError: There is no such network.
    """
    try:
        embedder = build_embedder(
            description.backbone,
            description.num_classes,
            norm=description.norm,
            rho_per=description.rho_per,
        )
    except ValueError as error:
        raise CheckpointError(
            f"{DESCRIPTION} of the model: {error}; copy the model again, or install the version of "
            "metabin that trained it"
        ) from None
    size = embedder.neck.num_features
    if size != description.embedding_size:
        raise CheckpointError(
            f"{DESCRIPTION} of the model: embedding_size is {description.embedding_size}, and "
            f"{description.backbone} has {size}; {COPY_AGAIN}"
        )
    return embedder


def save_weights(path: Path, model: nn.Module) -> str:
    """Write a model's parameters and buffers as safetensors; return the sha256 of the file."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    content = save(tensors)
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def load_weights(path: Path, model: nn.Module) -> str:
    """Read weights into a model with the same tensors; return the sha256 of the file.

    Raises:
        CheckpointError: The file is missing or damaged, or some tensors do not fit or have
            impossible values.
    """
    try:
        content = path.read_bytes()
        tensors = load(content)
    except Exception as error:  # safetensors raises its own kinds and OSError
        raise CheckpointError(
            f"{path} is not a readable weights file: {error}; train again to write it"
        ) from None
    expected = model.state_dict()
    require_fit(path, tensors, expected)
    require_values(path, tensors, expected)
    model.load_state_dict(tensors)
    return hashlib.sha256(content).hexdigest()
