"""MLflow records of DVC runs: one parent per experiment, one child per fold and stage.

Write-only and optional: nothing here can stop a stage, and no stage reads anything back. docs/tracking.md
says what is recorded. This package is the only one that imports mlflow, and does so when a run is opened.
"""

from metabin.tracking.run import Run, open_run

__all__ = ["Run", "open_run"]
