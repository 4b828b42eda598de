"""Local files as inputs of the pipeline: detect whether they changed since the last check.

DVC cannot track them as dependencies: their paths depend on the machine, and a clone after
`dvc pull` has none of them. So the stage `check` runs on every `dvc repro`, compares sizes and
times of modification with those of its last run, and reads a file again only if these differ.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from metabin.data.acquisition.local_datasets import LocalDataset, is_recorded, recorded_digest
from metabin.errors import DatasetError
from metabin.files import resolve_local, write_text
from metabin.stage_files import read_json
from metabin.types import Trial

DIGEST = "digest.json"
PACKAGE = Path(__file__).parents[1]  # metabin/data


def state_digest(dataset: LocalDataset, trials: tuple[Trial, ...]) -> str:
    """Return a digest of everything that a data set's check depends on, without reading an image.

    It covers the records (thus the names, lists and CSV files that the reader took them from), the
    size and the time of modification of every image, the splits, and the code of this package.
    """
    digest = hashlib.sha256(_code_digest().encode())
    for record in dataset.records:
        try:
            status = os.stat(dataset.images / record.path)  # noqa: PTH116 - 130,000 images
            stamp = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            stamp = "unreadable"
        digest.update(f"{record}\n{stamp}\n".encode())
    digest.update(trials_digest(trials).encode())
    return digest.hexdigest()


def trials_digest(trials: tuple[Trial, ...]) -> str:
    """Return a digest of the images of every query and gallery."""
    digest = hashlib.sha256()
    for trial in trials:
        for images in trial:
            digest.update("\n".join([*(record.path for record in images), ""]).encode())
    return digest.hexdigest()


def is_unchanged(state_file: Path, state: str, directory: Path) -> bool:
    """Return whether the files are unchanged since the result in `directory` was recorded."""
    return (
        is_recorded(directory)
        and state_file.is_file()
        and state_file.read_text() == _state_line(state, directory)
    )


def remember_state(state_file: Path, state: str, directory: Path) -> None:
    """Write, for the next run on this machine, which state the result in `directory` belongs to."""
    write_text(state_file, _state_line(state, directory))


def record_file(name: str, directory: Path) -> None:
    """Write the sha256 of a file of weights into `directory`.

    The recorded digest stays if the file is not on this machine.

    Raises:
        DatasetError: The file is absent and was never recorded.
    """
    path = resolve_local(Path(name))
    if path.is_file():
        digest = {"file": name, "sha256": _sha256(path)}
        write_text(directory / DIGEST, json.dumps(digest) + "\n")
    elif not (directory / DIGEST).is_file():
        raise DatasetError(
            f"{name} in data.local is not there; expected a file: put it there, or correct "
            "data.local"
        )


def load_file_digest(directory: Path) -> str | None:
    """Return the sha256 that `record_file` wrote; None if `directory` holds a data set."""
    path = directory / DIGEST
    return read_json(path, keys=("sha256",))["sha256"] if path.is_file() else None


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _code_digest() -> str:
    """Return a digest of this package's code, as another version may count or check differently."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _state_line(state: str, directory: Path) -> str:
    return f"{state} {recorded_digest(directory)}\n"
