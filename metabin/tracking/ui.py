"""The MLflow UI: its address, and the command that serves it."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

from metabin.errors import UserError
from metabin.tracking.formatting import describe, hide_passwords
from metabin.tracking.location import locate
from metabin.tracking.provenance import project_root
from metabin.tracking.store import connect
from metabin.tracking.view import KEY, save_view

VIEW = "workflowType=machine_learning"  # without it the UI starts in its "GenAI" mode


@dataclass(frozen=True, slots=True)
class MlflowUI:
    """The address of the experiment in the UI, and the command that serves it.

    The command is empty if MLFLOW_TRACKING_URI names a server.
    """

    address: str
    command: tuple[str, ...]


def find_ui(port: int) -> MlflowUI:
    """Return the UI of the store that the stages record to, served to this machine only.

    The store is created if it does not exist. Its paths are repaired if the project was moved.

    Raises:
        UserError: the store cannot be opened.
    """
    root = project_root()
    location = locate(root)
    if location.artifacts is None:
        return MlflowUI(hide_passwords(location.uri), ())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = connect(root)
            save_view(store.client, store.experiment_id)
    except Exception as error:
        address = hide_passwords(location.uri)
        message = f"the MLflow store {address} cannot be opened: {describe(error)}"
        raise UserError(message) from error
    command = (
        *(sys.executable, "-m", "mlflow", "ui"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", store.uri, "--artifacts-destination", str(location.artifacts)),
    )
    address = f"http://127.0.0.1:{port}/#/experiments/{store.experiment_id}/runs"
    return MlflowUI(f"{address}?{VIEW}&viewStateShareKey={KEY}", command)
