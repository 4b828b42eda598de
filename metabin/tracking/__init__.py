"""MLflow records of DVC runs: one parent per experiment, one child per fold and stage.

Tracking is optional: an error here never stops a stage, and no stage reads a record.
docs/tracking.md lists what is recorded. Only this package imports mlflow, and only when a run is
opened.
"""

from __future__ import annotations

from metabin.tracking.delivery import deliver_all
from metabin.tracking.open_run import open_run
from metabin.tracking.provenance import Provenance
from metabin.tracking.run import Run
from metabin.tracking.shared_store import share_store
from metabin.tracking.trainings import TrainingRun, add_metrics, deliver, find_trainings
from metabin.tracking.unrecorded import find_unrecorded, is_in_workspace

__all__ = [
    "Provenance",
    "Run",
    "TrainingRun",
    "add_metrics",
    "deliver",
    "deliver_all",
    "find_trainings",
    "find_unrecorded",
    "is_in_workspace",
    "open_run",
    "share_store",
]
