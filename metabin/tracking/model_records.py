"""Trained models in the MLflow store: each training records its model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metabin.tracking.formatting import flatten, shorten, shorten_card
from metabin.tracking.model_folder import CARD, DATA, read_config, write_mlmodel
from metabin.tracking.store_runs import OpenedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

DIGEST = "sha256"  # of the weights: key in config.json, and tag


def receive_model(run: OpenedRun, target: Path, scores: Mapping[str, float], time: int) -> None:
    """Record the model of a training as a logged model of its run, which is tagged with its digest.

    Args:
        target: Written by `prepare_model`.
        scores: Metrics of the model.
        time: Of the scores, in milliseconds.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    config = read_config(target / DATA)
    model = _complete_model(run)
    if model is None:
        if run.tags["superseded"] == "false":
            _supersede(run.client, run.experiment_id, run.tags)
        model = create_model(run.client, run.experiment_id, target, run.tags, run_id=run.run_id)
    run.client.set_tag(run.run_id, DIGEST, config[DIGEST])
    step = int(config["step"])
    outputs = run.client.get_run(run.run_id).outputs
    if outputs is None or not outputs.model_outputs:  # MLflow refuses a second entry
        run.client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step)])
    metrics = [
        Metric(key, value, time, step, model_id=model.model_id) for key, value in scores.items()
    ]
    if metrics:
        run.client.log_batch(run.run_id, metrics=metrics)


def _complete_model(run: OpenedRun) -> LoggedModel | None:
    """Return the model of a run if an outage hid that it arrived; delete what arrived in part."""
    from mlflow.entities import LoggedModelStatus

    query = f"source_run_id = '{run.run_id}'"
    complete = None
    for model in run.client.search_logged_models([run.experiment_id], query):
        if model.status == LoggedModelStatus.READY:
            complete = model
        else:
            run.client.delete_logged_model(model.model_id)
    return complete


def create_model(
    client: MlflowClient,
    experiment_id: str,
    target: Path,
    tags: Mapping[str, str],
    *,
    run_id: str | None = None,
) -> LoggedModel:
    """Write the model of a training into the store.

    Args:
        target: Written by `prepare_model`.
        tags: Of the logged model, which gets the digest of the weights as well.
        run_id: Of the run that trained it.
    """
    from mlflow.entities import LoggedModelStatus

    config = read_config(target / DATA)
    model = client.create_logged_model(
        experiment_id,
        _name(config),
        source_run_id=run_id,
        tags={**tags, **_card(target / DATA), DIGEST: config[DIGEST]},
        params={key: shorten(str(value)) for key, value in flatten(config)},
    )
    try:
        write_mlmodel(target, model_id=model.model_id, run_id=run_id)
        client.log_model_artifacts(model.model_id, str(target))
    except Exception:
        client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
        raise
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _name(config: Mapping[str, Any]) -> str:
    """Return the name of a model, e.g. campus-metabin-seed-0: MLflow forbids slashes and dots."""
    name = f"{config['fold']}-{config['method']}-seed-{config['seed']}"
    return re.sub(r"[^\w-]", "_", name)


def _card(folder: Path) -> dict[str, str]:
    """Return the tag with the description at the top of the model's page."""
    path = folder / CARD
    return {"mlflow.note.content": shorten_card(path.read_text())} if path.is_file() else {}


def _supersede(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Tag the model of an earlier run of the same training as superseded, as its run is."""
    query = " AND ".join(
        f"tags.`{key}` = '{tags[key]}'" for key in ("dvc.parent_key", "title", "superseded")
    )
    for old in client.search_logged_models([experiment_id], query):
        client.set_logged_model_tags(old.model_id, {"superseded": "true"})
