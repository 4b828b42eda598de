"""MLflow records of DVC runs: one parent per experiment, one child per fold and stage.

Tracking is optional: an error here never stops a stage, and no stage reads a record.
docs/tracking.md lists what is recorded. Only this package imports mlflow, and only when a run is
opened.
"""

from __future__ import annotations

from metabin.tracking.model_records import log_model
from metabin.tracking.run import Run, open_run

__all__ = ["Run", "log_model", "open_run"]
