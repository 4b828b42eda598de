"""The user's own copies of real data sets: which are known, how each is read, and what was found in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.data.datasets import own
from metabin.data.doctor import Examination, examine
from metabin.data.store import read_records, write_records
from metabin.errors import DatasetError
from metabin.files import write_text
from metabin.types import ImageRecord

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


def is_own(name: str, folder: Path) -> bool:
    """Whether `<folder>/<name>.csv` or a folder of that name holds data of the user's own."""
    return name not in READERS and ((folder / f"{name}.csv").is_file() or (folder / name).is_dir())


def examine_copy(
    name: str, folder: Path, *, acknowledged: bool, on_image: Callable[[int], None] | None = None
) -> tuple[tuple[ImageRecord, ...], Path, Examination]:
    """Read the user's copy of a data set and examine it.

    Args:
        folder: of all copies. acknowledged: that some sets were withdrawn.

    Returns: the records, what their paths are relative to, and what was found.

    Raises:
        DatasetError: there is no copy, or it is not whole; says what to request, where, and where to put it.
    """
    if is_own(name, folder):
        place = folder / f"{name}.csv" if (folder / f"{name}.csv").is_file() else folder / name
        records, wanted = own.read(place, name), {}
        directory = place.parent if place.suffix == ".csv" else place
    else:
        directory = folder / name
        reader = import_module(f"metabin.data.datasets.{name}")
        records = reader.read(directory, acknowledged=acknowledged) if name in WITHDRAWN else reader.read(directory)
        wanted = counts_of(reader, reader.find_root(directory)[1])
    return records, directory, examine(name, directory, records, wanted, on_image)


def counts_of(reader: Any, layout: str) -> Mapping[str, tuple[int, int]]:
    """The published counts of a data set's layout, without what its reader leaves out."""
    counts = reader.COUNTS.get(layout, reader.COUNTS)
    return {part: pair for part, pair in counts.items() if part in PARTS}


def save_copy(directory: Path, records: tuple[ImageRecord, ...], images: Path, found: Examination) -> None:
    """Write what the pipeline goes on with: the records, and where their images are. No image is copied."""
    write_records(directory / RECORDS, records)
    write_text(directory / FINDINGS, json.dumps({"images": images.as_posix(), **asdict(found)}, indent=1) + "\n")


def load_copy(directory: Path, name: str) -> tuple[tuple[ImageRecord, ...], Path] | None:
    """What `save_copy` wrote: the records and where their images are; None where it wrote nothing."""
    if not (directory / FINDINGS).is_file():
        return None
    images = Path(json.loads((directory / FINDINGS).read_text())["images"])
    if not images.is_dir():
        raise DatasetError(f"domain {name}: its images were in {images}, which is gone; put them back")
    return read_records(directory / RECORDS, name), images
