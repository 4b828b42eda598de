"""One store for this project and its clones."""

from __future__ import annotations

import os
from contextlib import suppress

from metabin.tracking.location import locate
from metabin.tracking.open_run import tracking_enabled
from metabin.tracking.provenance import project_root
from metabin.tracking.store import connect


def share_store() -> None:
    """Let the processes that this one starts in a clone of the project record in its store."""
    root = project_root()
    location = locate(root)
    if tracking_enabled():
        # A clone would create it with a folder of its own for files. Each run reports an error.
        with suppress(Exception):
            connect(root)
            if location.artifacts:  # or the clone would take the project for one that has moved
                location.artifacts.mkdir(parents=True, exist_ok=True)
    os.environ["MLFLOW_TRACKING_URI"] = location.uri
