"""The MLflow store: first contact, and its experiment."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from metabin.tracking.location import (
    HOME,
    SERVERS,
    is_foreign,
    local_path,
    locate,
    repair_paths,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "metabin"
LOCK_SECONDS = 60  # the first contact creates the tables of the database, which takes seconds
ATTEMPTS = 3  # to connect to a database

# Unless the user has set them: no telemetry, no messages, one attempt of at most 10 s (records are
# delivered again after an error), no connections that outlive a deleted database, and files through
# the server. Otherwise a client fetches them from the server's S3 store, with its
# address as the server knows it, which is often that of a private network.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}


@dataclass(frozen=True, slots=True)
class Store:
    """The store, and the experiment in it."""

    client: MlflowClient
    uri: str
    experiment_id: str


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Let no other process of the project create a database or a run meanwhile.

    Raises:
        OSError: the folder of the lock cannot be written.
        filelock.Timeout: another process has held the lock for LOCK_SECONDS.
    """
    from filelock import FileLock

    home = root / HOME
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "contact.lock", timeout=LOCK_SECONDS):
        yield


def connect(root: Path) -> Store:
    """Return the store; it and the experiment are created if necessary.

    Raises:
        Exception: any error of MLflow, of the file system or of the lock.
    """
    client_class = import_mlflow()
    location = locate(root)
    if not location.uri.startswith(SERVERS):
        from mlflow.store.db import utils

        utils.MAX_RETRY_COUNT = ATTEMPTS  # 10 take 105 s
    with lock(root):
        repair_paths(location, root, EXPERIMENT)
        if location.database and _is_empty(location.database):
            _create(client_class, location.database)
    client = client_class(tracking_uri=location.uri)
    return Store(client, location.uri, _experiment(client, location.artifacts))


def _is_empty(database: Path) -> bool:
    """Return whether a database has no tables. SQLite creates an empty file if it was deleted."""
    return not database.exists() or (database.is_file() and database.stat().st_size == 0)


def _create(client_class: type[MlflowClient], database: Path) -> None:
    """Create a database with MLflow's tables, all of them or none.

    MLflow cannot repair a database whose creation was interrupted, and fails if two processes
    create its tables.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    for left in database.parent.glob(f".{database.name}.*.partial"):
        left.unlink()  # of a process that was killed: the lock is held
    # A new name, since MLflow creates the tables once for every address.
    partial = database.with_name(f".{database.name}.{uuid4().hex}.partial")
    client_class(tracking_uri=f"sqlite:///{partial}").search_experiments(max_results=1)
    partial.replace(database)


def import_mlflow() -> type[MlflowClient]:
    """Import MLflow with the settings of `ENVIRONMENT`, and return its client."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it logs every retry
    return MlflowClient


def _experiment(client: MlflowClient, artifacts: Path | None) -> str:
    """Return the id of the experiment; create or restore it if necessary.

    Raises:
        FileNotFoundError: its files belong in a folder of another project that does not exist here.
    """
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        location = artifacts.as_uri() if artifacts else None
        try:
            return client.create_experiment(EXPERIMENT, artifact_location=location)
        except Exception:  # another machine may just have created it on the same server
            experiment = client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                raise
    location = experiment.artifact_location
    folder = local_path(location)
    if folder and is_foreign(location, artifacts) and not folder.exists():  # MLflow would create it
        raise FileNotFoundError(
            f"the experiment {EXPERIMENT!r} keeps its files in {folder}, "
            "which does not exist on this machine; "
            "start `mlflow server` for this store and set MLFLOW_TRACKING_URI to its address"
        )
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id
