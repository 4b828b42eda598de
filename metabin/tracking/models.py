"""Trained models from the MLflow store, as local folders."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from metabin.errors import CheckpointError, UserError
from metabin.tracking.failures import advise
from metabin.tracking.formatting import describe
from metabin.tracking.location import local_path, locate, repair_paths
from metabin.tracking.model_folder import DATA, DESCRIPTION
from metabin.tracking.provenance import project_root
from metabin.tracking.store import EXPERIMENT, import_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


def download_model(uri: str) -> Path:
    """Return a local folder with a model from MLflow, as a training writes it.

    A copy from a server is deleted when the program ends.

    Args:
        uri: models:/metabin@champion, models:/metabin/3, models:/<id of a logged model>,
            runs:/<run>/model, where any name stands for the model of the run, or
            mlflow-artifacts:/<folder of a logged model>.

    Raises:
        CheckpointError: There is no such model, or another program wrote it.
        UserError: MLflow is not installed.
    """
    try:
        with warnings.catch_warnings():  # of MLflow, which the caller cannot act on
            warnings.simplefilter("ignore")
            folder = _find_and_fetch(uri)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{uri} is a model in MLflow, and the package {error.name} is not installed; "
            'run: pip install "metabin[pipeline]"'
        ) from None
    if not (folder / DESCRIPTION).is_file():
        raise CheckpointError(
            f"{uri} is no model of this project: it has no {DATA}/{DESCRIPTION}; "
            "pass a model that a training or `make register` recorded"
        )
    return folder


def _find_and_fetch(uri: str) -> Path:
    client_class = import_mlflow()
    root = project_root()
    store = locate(root)
    if store.database is not None and not store.database.is_file():  # MLflow would create it
        raise CheckpointError(
            f"{uri} is a model in MLflow, and {store.database} does not exist; run this in the "
            "project's folder, or set MLFLOW_TRACKING_URI to the store that has the model"
        )
    try:
        repair_paths(store, root, EXPERIMENT)  # if the project was moved
        location = _artifact_location(client_class(tracking_uri=store.uri), uri)
        return _fetch(location, store.uri)
    except CheckpointError:
        raise
    except Exception as error:  # MLflow raises its own kinds, those of its database and of requests
        reason = describe(error).removeprefix("MlflowException: ").rstrip(".")
        advice = "check the name, or set MLFLOW_TRACKING_URI to the store that has it"
        raise CheckpointError(
            f"{uri} cannot be read from the MLflow store {store.uri}: {reason}; "
            f"{advise(error) or advice}"
        ) from None


def _artifact_location(client: MlflowClient, uri: str) -> str:
    """Return the address of the folder of a model.

    Raises:
        CheckpointError: The run exists and has no model.
        MlflowException: The run or model does not exist.
    """
    from mlflow.store.artifact.utils.models import get_model_name_and_version

    scheme, _, path = uri.partition(":/")
    if scheme == "mlflow-artifacts":
        return uri
    if scheme == "models":
        names = get_model_name_and_version(client, uri)
        if len(names) == 1:  # the id of a logged model
            return client.get_logged_model(names[0]).artifact_location
        return client.get_model_version_download_uri(*map(str, names))
    return _model_of_run(client, path.strip("/").partition("/")[0]).artifact_location


def _model_of_run(client: MlflowClient, run_id: str) -> LoggedModel:
    experiment_id = client.get_run(run_id).info.experiment_id
    models = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    if not models:
        raise CheckpointError(
            f"the run {run_id} of MLflow has no model; only runs of trainings have one"
        )
    return models[0]


def _fetch(location: str, tracking_uri: str) -> Path:
    """Return the local folder of a model; a temporary one if the model is on a server."""
    local = local_path(location)
    if local is not None:
        return local / DATA
    from mlflow.artifacts import download_artifacts

    temporary = tempfile.mkdtemp(prefix="metabin-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    path = download_artifacts(
        artifact_uri=f"{location}/{DATA}", dst_path=temporary, tracking_uri=tracking_uri
    )
    return Path(path)
