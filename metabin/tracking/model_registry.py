"""The MLflow model registry: versions of a model, and the alias of the one to use."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metabin.addresses import hide_credentials
from metabin.errors import UserError
from metabin.tracking.formatting import describe, shorten_card
from metabin.tracking.location import locate
from metabin.tracking.model_folder import prepare_model, read_config
from metabin.tracking.model_records import DIGEST, create_model
from metabin.tracking.provenance import project_root
from metabin.tracking.store import Store, connect, lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "champion"
LINKS = "mlflow.modelVersions"
VARIABLE = "MLFLOW_TRACKING_URI"
DESCRIPTION = (
    "Person re-identification: embeddings of images of people. "
    f"The alias `{ALIAS}` names the version to use. Its page has the model card."
)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of a registered model.

    Attributes:
        number: From 1.
        is_new: False if the weights were registered before.
        alias: Set on this version.
        uri: For `metabin.load` and MLflow, e.g. models:/metabin@champion.
        store: Tracking URI of the store, without a password.
    """

    number: int
    is_new: bool
    alias: str
    uri: str
    store: str


def register_model(
    folder: Path, name: str, card: str, tags: Mapping[str, str]
) -> RegisteredVersion:
    """Register the model of a training, and give it the alias `champion`.

    The version refers to the logged model of the training's run. If the store has none, as after
    `dvc pull`, the model is recorded now. Weights that are registered already get no new version.

    Args:
        folder: Of the training.
        name: Of the registered model.
        card: Description of the version, markdown; cut at MLflow's limit.
        tags: fold, method and seed, as of the training's run.

    Raises:
        UserError: The store cannot be opened, or MLflow refuses the name.
    """
    root = project_root()
    digest = str(read_config(folder)[DIGEST])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = connect(root)
            client = store.client
            with lock(root), _default_store(store.uri):
                old = _find_version(client, name, digest)
                version = old or _add_version(store, folder, name, tags)
                client.set_registered_model_alias(name, ALIAS, version.version)
                client.update_model_version(name, version.version, shorten_card(card))
    except Exception as error:
        address = locate(root).uri
        raise UserError(
            f"{name} cannot be registered in the MLflow store {address}: {describe(error)}"
        ) from error
    number = int(version.version)
    location = f"models:/{name}@{ALIAS}"
    return RegisteredVersion(number, old is None, ALIAS, location, hide_credentials(store.uri))


@contextmanager
def _default_store(uri: str) -> Iterator[None]:
    """Make a store MLflow's default, where it looks up models:/<id> even for another store."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = uri
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        if before is not None:
            os.environ[VARIABLE] = before


def _find_version(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    query = f"name = '{name}' AND tags.`{DIGEST}` = '{digest}'"
    versions = client.search_model_versions(query)
    return max(versions, key=lambda version: int(version.version), default=None)


def _add_version(store: Store, folder: Path, name: str, tags: Mapping[str, str]) -> ModelVersion:
    client = store.client
    version_tags = {**tags, DIGEST: str(read_config(folder)[DIGEST])}
    model = _find_model(client, store.experiment_id, version_tags)
    if model is None:
        with tempfile.TemporaryDirectory() as temporary:
            target = Path(temporary) / "model"
            prepare_model(folder, target)
            model = create_model(client, store.experiment_id, target, tags)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=DESCRIPTION)
    version = client.create_model_version(
        name, source=f"models:/{model.model_id}", tags=version_tags, model_id=model.model_id
    )
    # From this tag the page of the model links to the version. MLflow's fluent API sets it as well.
    links = json.loads(model.tags.get(LINKS, "[]"))
    links.append({"name": name, "version": version.version})
    client.set_logged_model_tags(model.model_id, {LINKS: json.dumps(links)})
    return version


def _find_model(
    client: MlflowClient, experiment_id: str, tags: Mapping[str, str]
) -> LoggedModel | None:
    """Return the newest complete logged model with these tags."""
    query = " AND ".join(f"tags.`{key}` = '{text}'" for key, text in tags.items())
    newest_first = [{"field_name": "creation_timestamp", "ascending": False}]
    models = client.search_logged_models([experiment_id], query, order_by=newest_first)
    return next((model for model in models if model.status == "READY"), None)
