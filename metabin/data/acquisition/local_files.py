"""The user's own files as inputs of the pipeline: has anything changed since they were last read?

DVC cannot track them as dependencies: their places depend on the machine, and a clone after `dvc pull` has none of
them. So the stage `check` runs on every `dvc repro`, compares sizes and times of modification with those of its last
run, and reads a file again only where these differ.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from metabin.data.acquisition.local_datasets import Copy, is_recorded, recorded_digest
from metabin.data.partition.trials import Trial
from metabin.errors import DatasetError
from metabin.files import resolve_local, write_text

DIGEST = "digest.json"
PACKAGE = Path(__file__).parents[1]  # metabin/data


def state(copy: Copy, trials: tuple[Trial, ...]) -> str:
    """Return a digest of what a data set's check depends on, without reading an image.

    It covers the records (so the names, lists and CSV files that the reader took them from), the size and the time of
    modification of every image, the splits, and the code of this package.
    """
    digest = hashlib.sha256(_code().encode())
    for record in copy.records:
        try:
            status = os.stat(copy.images / record.path)  # noqa: PTH116 - 130,000 images: no Path for each
            stamp = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            stamp = "unreadable"
        digest.update(f"{record}\n{stamp}\n".encode())
    digest.update(trials_digest(trials).encode())
    return digest.hexdigest()


def trials_digest(trials: tuple[Trial, ...]) -> str:
    """Return a digest of the images of every query and gallery."""
    digest = hashlib.sha256()
    for parts in trials:
        for part in parts:
            digest.update("\n".join([*(record.path for record in part), ""]).encode())
    return digest.hexdigest()


def is_unchanged(seen: Path, state: str, directory: Path) -> bool:
    """Whether the files are as they were when `directory` was recorded, according to the last `remember`."""
    return is_recorded(directory) and seen.is_file() and seen.read_text() == _line(state, directory)


def remember(seen: Path, state: str, directory: Path) -> None:
    """Write for the next run on this machine: in this state the files gave what is recorded in `directory`."""
    write_text(seen, _line(state, directory))


def record_file(name: str, directory: Path) -> None:
    """Write the sha256 of a file (weights to start from) into `directory`; keep the recorded one if the file is absent.

    Raises:
        DatasetError: the file is absent and was never recorded.
    """
    path = resolve_local(Path(name))
    if path.is_file():
        write_text(directory / DIGEST, json.dumps({"file": name, "sha256": _sha256(path)}) + "\n")
    elif not (directory / DIGEST).is_file():
        raise DatasetError(f"{name} in data.local is not there; expected a file: put it there, or correct data.local")


def load_file_digest(directory: Path) -> str | None:
    """Return the sha256 that `record_file` wrote, or None where `directory` holds a data set."""
    path = directory / DIGEST
    return json.loads(path.read_text())["sha256"] if path.is_file() else None


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _code() -> str:
    """Return a digest of this package's source: another version may count or check differently."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _line(state: str, directory: Path) -> str:
    return f"{state} {recorded_digest(directory)}\n"
