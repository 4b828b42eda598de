"""Trained models in the MLflow store: each training records its model."""

from __future__ import annotations

import math
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metabin.tracking.failures import warn_on_error
from metabin.tracking.formatting import flatten, shorten, shorten_card
from metabin.tracking.model_folder import CARD, read_config, write_model_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

    from metabin.tracking.run import Run

DIGEST = "sha256"  # of the weights: key in config.json, and tag
OF_RUNS = ("mlflow.parentRunId", "mlflow.runName")  # tags that a model does not have


@warn_on_error
def log_model(run: Run, folder: Path, scores: Mapping[str, float]) -> None:
    """Record the model of a training as a logged model of its run, which is tagged with its digest.

    Args:
        folder: Of the training.
        scores: Metrics of the model; those that are not finite are left out.
    """
    from mlflow.entities import LoggedModelOutput, Metric

    opened = run.opened
    run_tags = opened.entity.data.tags.items()
    tags = {key: text for key, text in run_tags if not key.startswith(OF_RUNS)}
    _supersede(opened.client, opened.experiment_id, tags)
    model = create_model(opened.client, opened.experiment_id, folder, tags, run_id=opened.run_id)
    config = read_config(folder)
    opened.client.set_tag(opened.run_id, DIGEST, config[DIGEST])
    step = int(config["step"])
    opened.client.log_outputs(opened.run_id, [LoggedModelOutput(model.model_id, step)])
    now = int(time.time() * 1000)
    metrics = [
        Metric(key, value, now, step, model_id=model.model_id)
        for key, value in scores.items()
        if math.isfinite(value)
    ]
    if metrics:
        opened.client.log_batch(opened.run_id, metrics=metrics)


def create_model(
    client: MlflowClient,
    experiment_id: str,
    folder: Path,
    tags: Mapping[str, str],
    *,
    run_id: str | None = None,
) -> LoggedModel:
    """Write the model of a training into the store.

    Args:
        folder: Of the training.
        tags: Of the logged model, which gets the digest of the weights as well.
        run_id: Of the run that trained it.
    """
    from mlflow.entities import LoggedModelStatus

    config = read_config(folder)
    model = client.create_logged_model(
        experiment_id,
        _name(config),
        source_run_id=run_id,
        tags={**tags, **_card(folder), DIGEST: config[DIGEST]},
        params={key: shorten(str(value)) for key, value in flatten(config)},
    )
    try:
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(temporary) / "model"
            write_model_folder(folder, target, model_id=model.model_id, run_id=run_id)
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
