"""Load a trained model from where it is."""

from __future__ import annotations

import os
from pathlib import Path

from metabin.compute import find_device
from metabin.errors import CheckpointError, ConfigError
from metabin.inference.model import ReIDModel, TorchBackend
from metabin.model.description import read_description
from metabin.model.weights import DESCRIPTION, WEIGHTS, load_model

MLFLOW = ("models:/", "runs:/", "mlflow-artifacts:/")


def load(source: str | os.PathLike[str], *, device: str = "auto") -> ReIDModel:
    """Load a trained model.

    Args:
        source: The folder of a training, such as models/final/metabin/seed-0; its
            model.safetensors; an .onnx file that `metabin export` wrote; or a model in MLflow, as
            models:/metabin@champion, models:/metabin/3 or runs:/<run>/model.
        device: "auto" (CUDA if there is one), "cpu", "cuda" or "cuda:1". ONNX files run on the CPU.

    Raises:
        CheckpointError: There is no model, or it is damaged or of a newer version.
        ConfigError: The device is absent or of another kind.
    """
    path = Path(source)
    if path.suffix == ".onnx":
        return _load_onnx(path)
    folder = find_folder(source)
    description = read_description(folder / DESCRIPTION)
    target = find_device(device)
    if target.type not in ("cpu", "cuda"):
        raise ConfigError(f"the device is {device!r}; expected is auto, cpu, cuda or cuda:0")
    network = load_model(folder, target)
    return ReIDModel(description, TorchBackend(network, target))


def find_folder(source: str | os.PathLike[str]) -> Path:
    """Return the folder of a trained model, which MLflow fetches if it is there.

    Args:
        source: As of `load`, without ONNX files.

    Raises:
        CheckpointError: There is no model.
    """
    text = os.fspath(source)
    if text.startswith(MLFLOW):
        from metabin.tracking.models import download_model

        return download_model(text)
    path = Path(text)
    if path.is_dir():
        return path
    if not path.exists():
        raise CheckpointError(
            f"{path} does not exist; expected is the folder of a training, "
            "such as models/final/metabin/seed-0 (`dvc repro` or `dvc pull` makes it)"
        )
    if path.name != WEIGHTS:
        raise CheckpointError(
            f"{path} is not the {WEIGHTS} of a training, whose {DESCRIPTION} lies beside it; "
            "pass the folder of the training"
        )
    return path.parent


def _load_onnx(path: Path) -> ReIDModel:
    from metabin.export.onnx_backend import OnnxBackend

    backend = OnnxBackend(path)
    return ReIDModel(backend.description, backend)
