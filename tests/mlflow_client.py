"""MLflow's own client, with which tests read what a store has received."""

import warnings
from typing import Any

from metabin.tracking.store import import_mlflow


def client_of(uri: str) -> Any:
    """The client of a store: `sqlite:///PATH`, or the address of a server."""
    with warnings.catch_warnings():  # MLflow's own use of other packages, while it is imported
        warnings.simplefilter("ignore")
        return import_mlflow()(tracking_uri=uri)
