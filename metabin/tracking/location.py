"""The location of the MLflow store, and the repair of its paths after the project was moved."""

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
    """The location of runs and of their files."""

    uri: str
    artifacts: Path | None  # the folder for the files of new experiments; None: the server decides
    database: Path | None  # the SQLite file; None: another kind of store


def locate(root: Path) -> Location:
    """Return the location that MLFLOW_TRACKING_URI names, or else `.mlflow` in the project.

    All paths are absolute, since the working directory of a stage may be a temporary workspace of
    DVC. A relative path in MLFLOW_TRACKING_URI starts at the project's root.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{HOME}/mlflow.db"
    uri = absolute_uri(uri, root)
    if uri.startswith(SERVERS):
        return Location(uri, None, None)
    sqlite = SQLITE.fullmatch(uri)
    return Location(uri, root / HOME / "artifacts", Path(sqlite["path"]) if sqlite else None)


def absolute_uri(uri: str, root: Path) -> str:
    """Return a tracking URI whose path, if it is a relative one, starts at the project's root.

    `sqlite:///mlflow.db`, `./mlruns`, `mlruns` and `file:mlruns` have relative paths.
    """
    if uri.startswith(SERVERS):
        return uri
    if sqlite := SQLITE.fullmatch(uri):
        if sqlite["path"] == ":memory:":
            return uri
        return f"{sqlite['head']}{_absolute(root, sqlite['path'])}{sqlite['query'] or ''}"
    if uri.startswith("file:") and not uri.startswith("file:/"):
        return _absolute(root, unquote(uri.removeprefix("file:"))).as_uri()
    return uri if ":" in uri else _absolute(root, uri).as_uri()


def _absolute(root: Path, path: str) -> Path:
    # Without "..", so that a comparison of paths shows whether this one is in the project.
    return Path(os.path.normpath(root / path))


def is_foreign(location: str, artifacts: Path | None) -> bool:
    """Return whether an artifact location is the `.mlflow/artifacts` of another project.

    Args:
        artifacts: this project's folder.
    """
    folder = local_path(location)
    if artifacts is None or folder is None or folder.parts[-2:] != artifacts.parts[-2:]:
        return False
    return os.path.realpath(folder) != os.path.realpath(artifacts)


def local_path(location: str) -> Path | None:
    """Return the folder of an artifact location; None if it is not in the local file system."""
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def repair_paths(location: Location, root: Path, experiment: str) -> None:
    """Replace the paths in the database by this project's after the project was moved or copied.

    MLflow stores the absolute path of the experiment and of every run. After a move these are the
    old paths, where MLflow would create the folders again. A database outside the project may serve
    several projects, so its paths are replaced only if the old folder no longer exists. Files that
    are still at the old path stay there, with a warning.

    Raises:
        sqlite3.Error: the file is not a database.
    """
    database = location.database
    artifacts = location.artifacts
    if database is None or artifacts is None or not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        if not _columns(connection, "experiments"):  # a new database
            return
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        for (old,) in connection.execute(query, (experiment,)).fetchall():
            folder = local_path(old or "")
            if folder is None or not is_foreign(old, artifacts):
                continue
            if database.is_relative_to(root) or not folder.exists():
                _warn_of_old_files(connection, old, folder, artifacts)
                with connection:
                    _replace(connection, old, artifacts.as_uri())


def _replace(connection: sqlite3.Connection, old: str, new: str) -> None:
    for table, column in PATH_COLUMNS:
        if column in _columns(connection, table):
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - PATH_COLUMNS
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )


def _warn_of_old_files(
    connection: sqlite3.Connection, old: str, folder: Path, artifacts: Path
) -> None:
    query = "SELECT run_uuid FROM runs WHERE substr(artifact_uri, 1, ?) = ?"
    runs = [run for (run,) in connection.execute(query, (len(old) + 1, f"{old}/"))]
    missing = [run for run in runs if (folder / run).is_dir() and not (artifacts / run).is_dir()]
    if missing:
        command = f"mkdir -p '{artifacts}' && cp -Rn '{folder}/.' '{artifacts}'"
        logger.warning(
            "the project was moved or copied: the files of %d earlier MLflow runs are still in %s. "
            "The MLflow page shows them after `%s`.",
            len(missing),
            folder,
            command,
        )


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
