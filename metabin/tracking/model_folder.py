"""A trained model in MLflow's format: a folder with the weights and the code that loads them.

MLflow's `save_model` would write the same files, but takes a second to compare the requirements
with all installed packages.
"""

from __future__ import annotations

import base64
import io
import json
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import metabin
from metabin.stage_files import read_json

DATA = "data"  # the model's folder, as a training writes it
DESCRIPTION = "config.json"
CARD = "README.md"
FILES = ("model.safetensors", DESCRIPTION, CARD)
LOADER = "metabin.inference.mlflow_model"  # has the function _load_pyfunc, which MLflow calls
COLUMN = "image"  # of the input: the content of an image file, in base64
# All that LOADER imports. The code of the package itself is in the folder.
REQUIREMENTS = (
    "mlflow",
    "numba",
    "numpy",
    "pandas",
    "pillow",
    "pydantic",
    "safetensors",
    "scipy",
    "torch",
    "torchvision",
)
# Parts of the package that a loaded model does not use.
LEFT_OUT = ("card", "commands", "engine", "episodes", "losses", "report", "results", "synthetic")
EXAMPLE = "input_example.json"
SERVING_EXAMPLE = "serving_input_example.json"


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of the config.json of a trained model."""
    return read_json(folder / DESCRIPTION, keys=("embedding_size", "height", "width"))


def prepare_model(folder: Path, target: Path) -> None:
    """Write a trained model with all that it needs; `write_mlmodel` completes it.

    Args:
        folder: Written by `metabin.model.weights.save_model`.
        target: A folder.
    """
    data = target / DATA
    data.mkdir(parents=True)
    for name in FILES:
        if (folder / name).is_file():
            shutil.copy(folder / name, data)
    package = Path(metabin.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", *LEFT_OUT)
    shutil.copytree(package, target / "code" / package.name, ignore=ignored)
    (target / "requirements.txt").write_text("".join(f"{pin}\n" for pin in requirements()))
    python_env = f"python: {platform.python_version()}\ndependencies:\n- -r requirements.txt\n"
    (target / "python_env.yaml").write_text(python_env)


def write_mlmodel(target: Path, *, model_id: str, run_id: str | None = None) -> None:
    """Make a prepared folder an MLflow model of the flavour `python_function`.

    Args:
        target: Written by `prepare_model`.
        model_id: Of the logged model in MLflow.
        run_id: Of the run that trained it.
    """
    from mlflow import pyfunc
    from mlflow.models import Model

    data = target / DATA
    config = read_config(data)
    model = Model(
        run_id=run_id,
        model_id=model_id,
        model_uuid=model_id,
        signature=_signature(config["embedding_size"]),
        saved_input_example_info=_write_example(target, config["height"], config["width"]),
        model_size_bytes=sum(path.stat().st_size for path in data.iterdir()),
    )
    pyfunc.add_to_model(
        model, loader_module=LOADER, data=DATA, code="code", python_env="python_env.yaml"
    )
    model.save(str(target / "MLmodel"))


def requirements() -> list[str]:
    """Return the packages that a model needs, with the versions that are installed here."""
    pins = []
    for name in REQUIREMENTS:
        try:
            # "2.14.1+cpu" is a build that the package index does not have
            pins.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:  # as mlflow where only mlflow-skinny is installed
            pins.append(name)
    return pins


def _signature(embedding_size: int) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    embeddings = TensorSpec(np.dtype("float32"), (-1, embedding_size))
    return ModelSignature(inputs=Schema([ColSpec("string", COLUMN)]), outputs=Schema([embeddings]))


def _write_example(target: Path, height: int, width: int) -> dict[str, str]:
    """Write an input example, a grey image; return the entry about it in the file MLmodel."""
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (width, height), (128, 128, 128)).save(content, "PNG")
    text = base64.b64encode(content.getvalue()).decode("ascii")
    table = {"columns": [COLUMN], "data": [[text]]}
    (target / EXAMPLE).write_text(json.dumps(table))
    (target / SERVING_EXAMPLE).write_text(json.dumps({"dataframe_split": table}, indent=2))
    return {
        "artifact_path": EXAMPLE,
        "pandas_orient": "split",
        "serving_input_path": SERVING_EXAMPLE,
        "type": "dataframe",
    }
