"""Where the MLflow store is, and the repair of its paths after the project was moved or copied."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

logger = logging.getLogger("metabin.tracking")

HOME = ".mlflow"
SQLITE = re.compile(r"(?P<head>sqlite(\+\w+)?:///)(?P<path>[^?]+)(?P<query>\?.*)?")
SERVERS = ("http://", "https://", "databricks")
# Every column in which MLflow keeps the absolute path of a file or folder.
PATH_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True, slots=True)
class Location:
    """Where runs and their files are kept.

    `artifacts` is the folder for the files of new experiments (None: the server decides), `database` the
    SQLite file (None: another kind of store).
    """

    uri: str
    artifacts: Path | None
    database: Path | None


def locate(root: Path) -> Location:
    """Return the location that MLFLOW_TRACKING_URI names, or else `.mlflow` in the project.

    All paths are absolute: the working directory of a stage may be a temporary workspace of DVC, which is
    deleted afterwards. A relative path in MLFLOW_TRACKING_URI starts at the project's root.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{HOME}/mlflow.db"
    uri = absolute_uri(uri, root)
    if uri.startswith(SERVERS):
        return Location(uri, None, None)
    sqlite = SQLITE.fullmatch(uri)
    return Location(uri, root / HOME / "artifacts", Path(sqlite["path"]) if sqlite else None)


def absolute_uri(uri: str, root: Path) -> str:
    """Return a tracking URI whose path, if it is a relative one, starts at the project's root.

    `sqlite:///mlflow.db`, `./mlruns`, `mlruns` and `file:mlruns` have relative paths; servers have none.
    """
    if uri.startswith(SERVERS):
        return uri
    if sqlite := SQLITE.fullmatch(uri):
        path = sqlite["path"]
        return uri if path == ":memory:" else f"{sqlite['head']}{_absolute(root, path)}{sqlite['query'] or ''}"
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return _absolute(root, unquote(uri.removeprefix("file:"))).as_uri()
    return uri if ":" in uri else _absolute(root, uri).as_uri()


def _absolute(root: Path, path: str) -> Path:
    return Path(os.path.normpath(root / path))  # without "..", so that it tells what lies in the project


def is_foreign(location: str, artifacts: Path | None) -> bool:
    """Return whether an artifact location is the `.mlflow/artifacts` of another project than `artifacts`."""
    folder = local_path(location)
    if artifacts is None or folder is None or folder.parts[-2:] != artifacts.parts[-2:]:
        return False
    return os.path.realpath(folder) != os.path.realpath(artifacts)


def local_path(location: str) -> Path | None:
    """Return the folder of an artifact location; None if it is not on this machine's file system."""
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def follow_project(place: Location, root: Path, experiment: str) -> None:
    """Let the paths in the database name this project's own folder after the project was moved or copied.

    MLflow stores the absolute path of the experiment and of every run. After a move these name the old
    place, where it would create the folders again. A database outside the project may serve several
    projects, so its paths are changed only if the old folder no longer exists. Files that are still in the
    old place stay there, with a warning.

    Raises: sqlite3.Error if the file is no database.
    """
    if place.database is None or place.artifacts is None or not place.database.is_file():
        return
    with closing(sqlite3.connect(place.database, timeout=60)) as connection:
        if not _columns(connection, "experiments"):  # not set up yet
            return
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        for (old,) in connection.execute(query, (experiment,)).fetchall():
            folder = local_path(old or "")
            if folder is None or not is_foreign(old, place.artifacts):
                continue
            if place.database.is_relative_to(root) or not folder.exists():
                new = place.artifacts.as_uri()
                _warn_of_files_left(connection, old, folder, place.artifacts)
                with connection:
                    _replace(connection, old, new)


def _replace(connection: sqlite3.Connection, old: str, new: str) -> None:
    for table, column in PATH_COLUMNS:
        if column in _columns(connection, table):
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )


def _warn_of_files_left(connection: sqlite3.Connection, old: str, folder: Path, artifacts: Path) -> None:
    query = "SELECT run_uuid FROM runs WHERE substr(artifact_uri, 1, ?) = ?"
    runs = [run for (run,) in connection.execute(query, (len(old) + 1, f"{old}/"))]
    left = [run for run in runs if (folder / run).is_dir() and not (artifacts / run).is_dir()]
    if left:
        logger.warning(
            "the project was moved or copied: the files of %d earlier MLflow runs are still in %s. "
            "The MLflow page shows them after `mkdir -p '%s' && cp -Rn '%s/.' '%s'`.",
            len(left), folder, artifacts, folder, artifacts,
        )  # fmt: skip


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
