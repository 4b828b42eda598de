"""The user's own copies of real data sets: which are known, how each is read, and what was found in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.data.datasets import own
from metabin.data.doctor import Examination
from metabin.data.store import read_records, write_records
from metabin.errors import DatasetError
from metabin.files import write_text
from metabin.types import Domain, ImageRecord

READERS = (
    "market1501",
    "dukemtmcreid",
    "msmt17",
    "cuhk02",
    "cuhk03",
    "cuhk_sysu",
    "viper",
    "prid2011",
    "grid",
    "ilids",
    "randperson",
    "clonedperson",
    "unrealperson",
    "personx",
)
PARTS = ("train", "query", "gallery", "distractor", "all")  # what a reader leaves out cannot be counted
WITHDRAWN = ("dukemtmcreid",)
RECORDS, FINDINGS = "records.csv", "findings.json"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a data set: its records, sorted by path, the folder that their paths are relative to, the name of its
    layout, and the published counts that hold for that: part -> (identities, images)."""

    records: tuple[ImageRecord, ...]
    images: Path
    layout: str
    wanted: Mapping[str, tuple[int, int]]


def is_own(name: str, folder: Path) -> bool:
    """Whether `<folder>/<name>.csv` or a folder of that name holds data of the user's own."""
    return name not in READERS and ((folder / f"{name}.csv").is_file() or (folder / name).is_dir())


def find_copy(name: str, folder: Path, *, acknowledged: bool) -> Copy:
    """Read the names of the user's copy of a data set.

    Args:
        folder: of all copies. acknowledged: that some sets were withdrawn.

    Raises:
        DatasetError: there is no copy, or it is not whole; says what to request, where, and where to put it.
    """
    if is_own(name, folder):
        table = folder / f"{name}.csv"
        if table.is_file():
            return Copy(own.read(table, name), folder, "csv", {})
        return Copy(own.read(folder / name, name), folder / name, "folders", {})
    directory = folder / name
    reader = import_module(f"metabin.data.datasets.{name}")
    records = reader.read(directory, acknowledged=acknowledged) if name in WITHDRAWN else reader.read(directory)
    _, layout = reader.find_root(directory)
    return Copy(records, directory, layout, counts_of(reader, layout))


def counts_of(reader: Any, layout: str) -> Mapping[str, tuple[int, int]]:
    """The published counts of a data set's layout, without what its reader leaves out."""
    counts = reader.COUNTS.get(layout, reader.COUNTS)
    return {part: pair for part, pair in counts.items() if part in PARTS}


def save_copy(directory: Path, copy: Copy, found: Examination) -> None:
    """Write what the pipeline goes on with: the records, where their images are, what was found. Copies no image."""
    write_records(directory / RECORDS, copy.records)
    findings = {"images": copy.images.as_posix(), "layout": copy.layout, **asdict(found)}
    write_text(directory / FINDINGS, json.dumps(findings, indent=1) + "\n")


def load_copy(directory: Path, name: str) -> Domain | None:
    """What `save_copy` wrote; None where it wrote nothing."""
    if not (directory / FINDINGS).is_file():
        return None
    findings = json.loads((directory / FINDINGS).read_text())
    images = Path(findings["images"])
    if not images.is_dir():
        raise DatasetError(f"domain {name}: its images were in {images}, which is gone; put them back")
    return Domain(read_records(directory / RECORDS, name), images, findings["layout"], findings["fingerprint"])
