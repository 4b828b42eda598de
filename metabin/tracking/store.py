"""The MLflow store: first contact, and the runs in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from metabin.tracking.location import HOME, is_foreign, local_path, locate, repair_paths
from metabin.tracking.provenance import Provenance

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

EXPERIMENT = "metabin"
LOCK_SECONDS = 60  # the first contact creates the tables of the database, which takes seconds

# Unless the user has set them: no telemetry, no messages, short waits for a server that is down,
# and files through the server. Otherwise a client fetches them from the server's S3 store, with its
# address as the server knows it, which is often that of a private network.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """An open run in the store."""

    client: MlflowClient
    uri: str
    experiment_id: str
    entity: MlflowRun  # as it was when it was opened
    parent_id: str | None  # the parent, which ends with its last child

    @property
    def run_id(self) -> str:
        return self.entity.info.run_id


@contextmanager
def contact(root: Path) -> Iterator[tuple[MlflowClient, str, str]]:
    """Lock the store and yield a client, the tracking URI and the experiment's id.

    Store and experiment are created if necessary. The lock covers the client's constructor as well:
    it migrates a fresh database, and two processes that migrate at the same time both fail.

    Raises:
        Exception: any error of MLflow, of the file system or of the lock.
    """
    from filelock import FileLock

    client_class = import_mlflow()
    location = locate(root)
    home = root / HOME
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "contact.lock", timeout=LOCK_SECONDS):
        repair_paths(location, root, EXPERIMENT)
        if location.database and not location.database.exists():
            _create(client_class, location.database)
        client = client_class(tracking_uri=location.uri)
        yield client, location.uri, _experiment(client, location.artifacts)


def _create(client_class: type[MlflowClient], database: Path) -> None:
    """Create a database with MLflow's tables, all of them or none.

    MLflow cannot repair a database whose creation was interrupted.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    for left in database.parent.glob(f".{database.name}.*.partial"):
        left.unlink()  # of a process that was killed: the lock is held
    # A new name, since MLflow keeps a connection for every address that it has opened.
    partial = database.with_name(f".{database.name}.{uuid4().hex}.partial")
    client_class(tracking_uri=f"sqlite:///{partial}").search_experiments(max_results=1)
    partial.replace(database)


def open_in_store(
    kind: str, title: str, name: str, tags: dict[str, str], source: Provenance
) -> OpenedRun:
    """Open the parent run of the experiment that `source` describes, or a new child of it.

    Args:
        title: identifies a child among those of its kind.
        name: of a child, for people.

    Raises:
        Exception: any error of MLflow, of the file system or of the lock.
    """
    with contact(source.root) as (client, uri, experiment_id):
        parent = _parent(client, experiment_id, source)
        client.update_run(parent.info.run_id, status="RUNNING")
        if kind == "parent":
            set_tags(client, parent.info.run_id, _run_tags(kind, source, tags))
            entity = client.get_run(parent.info.run_id)
            return OpenedRun(client, uri, experiment_id, entity, parent_id=None)
        parent_id = parent.info.run_id
        _supersede(client, experiment_id, parent_id, kind, title)
        links = {"mlflow.parentRunId": parent_id, "title": title}
        entity = client.create_run(
            experiment_id,
            run_name=f"{name or title}{source.suffix}",
            tags=_run_tags(kind, source, {**tags, **links}),
        )
    return OpenedRun(client, uri, experiment_id, entity, parent_id)


def close_in_store(run: OpenedRun, status: str) -> None:
    """Set the final status of a run, and of its parent if no other child is running."""
    run.client.set_terminated(run.run_id, status=status)
    if run.parent_id is None:
        return
    children = _children(run.client, run.experiment_id, run.parent_id)
    if not any(child.info.status == "RUNNING" for child in children):
        run.client.set_terminated(run.parent_id, status=status)


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


def _parent(client: MlflowClient, experiment_id: str, source: Provenance) -> MlflowRun:
    query = f"tags.`dvc.parent_key` = '{source.parent_key}' and tags.kind = 'parent'"
    first = ["attributes.start_time ASC"]
    runs = client.search_runs([experiment_id], query, max_results=1, order_by=first)
    if runs:
        return runs[0]
    tags = _run_tags("parent", source, {})
    return client.create_run(experiment_id, run_name=source.parent_name, tags=tags)


def _children(client: MlflowClient, experiment_id: str, parent_id: str) -> list[MlflowRun]:
    query = f"tags.`mlflow.parentRunId` = '{parent_id}' and tags.superseded = 'false'"
    return list(client.search_runs([experiment_id], query, max_results=1000))


def _supersede(
    client: MlflowClient, experiment_id: str, parent_id: str, kind: str, title: str
) -> None:
    """Tag earlier runs of the same kind and title as superseded."""
    # The parameters of a run cannot be overwritten, so a stage that runs again gets a new run.
    for old in _children(client, experiment_id, parent_id):
        if old.data.tags.get("kind") != kind or old.data.tags.get("title") != title:
            continue
        client.set_tag(old.info.run_id, "superseded", "true")
        if old.info.status == "RUNNING":  # its process was killed before it could close the run
            client.set_terminated(old.info.run_id, status="KILLED")


def _run_tags(kind: str, source: Provenance, tags: dict[str, str]) -> dict[str, str]:
    import getpass

    base = {
        "kind": kind,
        "superseded": "false",  # explicit, because MLflow's `!=` drops runs without the tag
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": source.tags.get("dvc.stage", kind),
        "mlflow.source.git.commit": source.tags["git.commit"],
    }
    with suppress(Exception):  # the user of a container may have no name
        base["mlflow.user"] = getpass.getuser()
    return {**base, **source.tags, **tags}


def set_tags(client: MlflowClient, run_id: str, tags: Mapping[str, object]) -> None:
    """Set tags of a run, in batches of the size that MLflow accepts."""
    from mlflow.entities import RunTag

    entities = [RunTag(key, str(value)) for key, value in tags.items()]
    for start in range(0, len(entities), 100):
        client.log_batch(run_id, tags=entities[start : start + 100])
