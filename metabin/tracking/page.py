"""The MLflow page: its address, and the command that serves it."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

from metabin.errors import UserError
from metabin.tracking.location import locate
from metabin.tracking.provenance import project_root
from metabin.tracking.store import contact
from metabin.tracking.text import describe

VIEW = "workflowType=machine_learning"  # without it the page starts in its "GenAI" mode


@dataclass(frozen=True, slots=True)
class Page:
    """The address of the page, and the command of its server (empty if MLFLOW_TRACKING_URI names a server)."""

    address: str
    command: tuple[str, ...]


def find_page(port: int) -> Page:
    """Return the page of the store that the stages record to, for this machine only.

    The store is created if it does not exist, and follows the project if that was moved.

    Raises:
        UserError: the store cannot be opened.
    """
    root = project_root()
    place = locate(root)
    if place.artifacts is None:
        return Page(place.uri, ())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contact(root) as (_, uri, experiment):
                pass
    except Exception as error:
        raise UserError(f"the MLflow store {place.uri} cannot be opened: {describe(error)}") from error
    command = (
        *(sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", uri, "--artifacts-destination", str(place.artifacts)),
    )
    return Page(f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs?{VIEW}", command)
