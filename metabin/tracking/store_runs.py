"""The runs in the MLflow store: an experiment's run, and those of its trainings below it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metabin.tracking.provenance import Provenance
from metabin.tracking.store import Store, connect, lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

RECORD = "record"  # the tag of a training's run that names its spool


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """An open run in the store."""

    store: Store
    entity: MlflowRun  # as it was when it was opened
    tags: Mapping[str, str]  # those it was created with
    parent_id: str | None  # the parent, which ends with its last child

    @property
    def client(self) -> MlflowClient:
        return self.store.client

    @property
    def uri(self) -> str:
        return self.store.uri

    @property
    def experiment_id(self) -> str:
        return self.store.experiment_id

    @property
    def run_id(self) -> str:
        return self.entity.info.run_id


def open_parent(source: Provenance) -> OpenedRun:
    """Open the run of the DVC experiment that `source` describes.

    Raises:
        Exception: any error of MLflow, of the file system or of the lock.
    """
    store = connect(source.root)
    opening = describe_run("parent", source.parent_name, source, {})
    with lock(source.root):
        parent = _parent(store, opening)
    store.client.update_run(parent.info.run_id, status="RUNNING")
    set_tags(store.client, parent.info.run_id, opening["tags"])
    entity = store.client.get_run(parent.info.run_id)
    return OpenedRun(store, entity, opening["tags"], parent_id=None)


def open_child(root: Path, opening: Mapping[str, Any], record: str) -> OpenedRun:
    """Open the run of a training, or find it if it was opened before; also its parent.

    An earlier run of the same title is tagged superseded=true.

    Args:
        opening: made by `describe_run`.
        record: identifies the run.

    Raises:
        Exception: any error of MLflow, of the file system or of the lock.
    """
    store = connect(root)
    with lock(root):
        parent_id = _parent(store, opening["parent"]).info.run_id
        runs = store.client.search_runs([store.experiment_id], f"tags.{RECORD} = '{record}'")
        entity = runs[0] if runs else _create_child(store, parent_id, opening, record)
    state = entity.data.tags["superseded"]
    return OpenedRun(store, entity, {**opening["tags"], "superseded": state}, parent_id)


def _create_child(
    store: Store, parent_id: str, opening: Mapping[str, Any], record: str
) -> MlflowRun:
    superseded = _supersede(store, parent_id, opening)
    if superseded == "false":
        store.client.update_run(parent_id, status="RUNNING")
    tags = {"mlflow.parentRunId": parent_id, RECORD: record, "superseded": superseded}
    return store.client.create_run(
        store.experiment_id,
        start_time=opening["time"],
        run_name=opening["run_name"],
        tags={**opening["tags"], **tags},
    )


def describe_run(
    kind: str, name: str, source: Provenance, tags: Mapping[str, str]
) -> dict[str, Any]:
    """Return the name, the tags and the start of a new run, for `open_child`."""
    return {
        "run_name": name,
        "tags": _run_tags(kind, source, dict(tags)),
        "time": int(time.time() * 1000),
    }


def close_in_store(run: OpenedRun, status: str, end: int) -> None:
    """Set the final status of a run, and that of its parent if no other child is running.

    Args:
        end: the time, in milliseconds.
    """
    run.client.set_terminated(run.run_id, status=status, end_time=end)
    if run.parent_id is None:
        return
    children = {child.info.run_id: child.info for child in _children(run.store, run.parent_id)}
    is_running = any(child.status == "RUNNING" for child in children.values())
    if run.run_id in children and not is_running:  # else a later run of the training closes it
        last = max(children.values(), key=lambda child: child.end_time or 0)
        run.client.set_terminated(run.parent_id, status=last.status, end_time=last.end_time)


def _parent(store: Store, opening: Mapping[str, Any]) -> MlflowRun:
    """Return the run of an experiment, which is created if necessary; the lock must be held."""
    key = opening["tags"]["dvc.parent_key"]
    query = f"tags.`dvc.parent_key` = '{key}' and tags.kind = 'parent'"
    first = ["attributes.start_time ASC"]
    runs = store.client.search_runs([store.experiment_id], query, max_results=1, order_by=first)
    return (
        runs[0]
        if runs
        else store.client.create_run(
            store.experiment_id,
            start_time=opening["time"],
            run_name=opening["run_name"],
            tags=opening["tags"],
        )
    )


def _children(store: Store, parent_id: str) -> list[MlflowRun]:
    query = f"tags.`mlflow.parentRunId` = '{parent_id}' and tags.superseded = 'false'"
    return list(store.client.search_runs([store.experiment_id], query, max_results=1000))


def _supersede(store: Store, parent_id: str, opening: Mapping[str, Any]) -> str:
    """Tag earlier runs of the same kind and title as superseded.

    Returns:
        "true" if a later run exists, as when this one was delivered after an outage; or "false".
    """
    # The parameters of a run cannot be overwritten, so a stage that runs again gets a new run.
    new = opening["tags"]
    superseded = "false"
    for old in _children(store, parent_id):
        tags = old.data.tags
        if (tags.get("kind"), tags.get("title")) != (new["kind"], new["title"]):
            continue
        if old.info.start_time > opening["time"]:
            superseded = "true"
            continue
        store.client.set_tag(old.info.run_id, "superseded", "true")
        if old.info.status == "RUNNING":  # its process was killed before it could close the run
            store.client.set_terminated(old.info.run_id, status="KILLED")
    return superseded


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
