"""The MLflow UI: its address, and the command that serves it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from metabin.addresses import hide_credentials
from metabin.errors import UserError
from metabin.tracking.formatting import describe
from metabin.tracking.location import locate
from metabin.tracking.provenance import project_root
from metabin.tracking.store import connect
from metabin.tracking.view import KEY, save_view

VIEW = "workflowType=machine_learning"  # without it the UI starts in its "GenAI" mode


@dataclass(frozen=True, slots=True)
class MlflowUI:
    """The address of the experiment in the UI, and the command that serves it.

    The command is empty if MLFLOW_TRACKING_URI names a server. Its variables name the store, whose
    address may contain a password: everyone on the machine can read a command.
    """

    address: str
    command: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def find_ui(port: int) -> MlflowUI:
    """Return the UI of the store that the stages record to, served to this machine only.

    The store is created if it does not exist. Its paths are repaired if the project was moved.

    Raises:
        UserError: the store cannot be opened.
    """
    root = project_root()
    location = locate(root)
    if location.artifacts is None:
        return MlflowUI(hide_credentials(location.uri))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = connect(root)
            save_view(store.client, store.experiment_id)
    except Exception as error:
        message = f"the MLflow store {location.uri} cannot be opened: {describe(error)}"
        raise UserError(message) from error
    command = (
        *(sys.executable, "-m", "mlflow", "ui"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--artifacts-destination", str(location.artifacts)),
    )
    address = f"http://127.0.0.1:{port}/#/experiments/{store.experiment_id}/runs"
    variables = {"MLFLOW_BACKEND_STORE_URI": store.uri}
    return MlflowUI(f"{address}?{VIEW}&viewStateShareKey={KEY}", command, variables)
