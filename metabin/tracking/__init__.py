"""MLflow records of DVC runs: one parent per experiment, one child per fold and stage.

Tracking is optional: an error here never stops a stage, and no stage reads a record.
docs/tracking.md lists what is recorded. Only this package imports mlflow, and only when a run is
opened.
"""

from __future__ import annotations

from metabin.tracking.model_records import log_model
from metabin.tracking.open_run import open_run
from metabin.tracking.run import Run
from metabin.tracking.shared_store import share_store
from metabin.tracking.trainings import TrainingRun, add_metrics, find_trainings

__all__ = [
    "Run",
    "TrainingRun",
    "add_metrics",
    "find_trainings",
    "log_model",
    "open_run",
    "share_store",
]
