"""The user's own copies of real data sets: which are known, how each is read, and what was found in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.data.acquisition.check import Examination
from metabin.data.readers import custom
from metabin.data.store import read_records, write_records
from metabin.errors import DatasetError
from metabin.files import resolve_local, write_text
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
            return Copy(custom.read(table, name), folder, "csv", {})
        return Copy(custom.read(folder / name, name), folder / name, "folders", {})
    directory = folder / name
    reader = import_module(f"metabin.data.readers.{name}")
    records = reader.read(directory, acknowledged=acknowledged) if name in WITHDRAWN else reader.read(directory)
    _, layout = reader.find_root(directory)
    return Copy(records, directory, layout, counts_of(reader, layout))


def counts_of(reader: Any, layout: str) -> Mapping[str, tuple[int, int]]:
    """The published counts of a data set's layout, without what its reader leaves out."""
    counts = reader.COUNTS.get(layout, reader.COUNTS)
    return {part: pair for part, pair in counts.items() if part in PARTS}


def report(copy: Copy, found: Examination) -> str:
    """Return the result of a check as text for a terminal."""
    lines = [f"{found.name} in {copy.images}: {verdict(copy, found)}", f"  layout   {copy.layout}"]
    for part, counts in found.counts.items():
        more = f", {counts.distractors:,} of them distractors" if counts.distractors else ""
        lines.append(f"  {part:<8} {counts.ids:,} identities, {counts.images:,} images, {counts.cameras} cameras{more}")
    lines += [f"  left out: {number:,} {kind}" for kind, number in found.left_out.items()]
    lines += [f"  problem: {problem}" for problem in (*found.problems, found.untestable) if problem]
    lines += [f"  remark: {remark}" for remark in found.remarks]
    return "\n".join([*lines, f"  fingerprint {found.fingerprint}"])


def verdict(copy: Copy, found: Examination) -> str:
    """Return how the check ended; "good" only where published counts were there to compare with."""
    if not found.fit:
        return "FAILS"
    if copy.wanted:
        return "good"
    if found.name in READERS:
        return "not checked: no published counts"
    return "readable; own images have no published counts to compare with"


def is_present(name: str, folder: Path) -> bool:
    """Whether the folder of local data sets has anything of this name: a folder, a CSV file or an archive."""
    return folder.is_dir() and any(path.name == name or path.name.startswith(f"{name}.") for path in folder.iterdir())


def is_recorded(directory: Path) -> bool:
    """Whether `save_copy` wrote a data set into a folder."""
    return (directory / FINDINGS).is_file()


def save_copy(directory: Path, copy: Copy, found: Examination, *, images: Path, trials: str) -> None:
    """Write the records, where the images are, and the result of the check; no image is copied.

    Args:
        images: `copy.images` as params.yaml names it, the same on every machine.
        trials: the digest of the data set's random splits, so that other splits are another output.
    """
    write_records(directory / RECORDS, copy.records)
    findings = {"images": images.as_posix(), "layout": copy.layout, "trials": trials, **asdict(found)}
    write_text(directory / FINDINGS, json.dumps(findings, indent=1) + "\n")


def recorded_digest(directory: Path) -> str:
    """Return a digest of the files that `save_copy` wrote."""
    content = [(directory / name).read_bytes() for name in (RECORDS, FINDINGS)]
    return hashlib.sha256(b"".join(content)).hexdigest()


def recorded_problems(directory: Path) -> list[str]:
    """Return the problems that the check saw."""
    return json.loads((directory / FINDINGS).read_text())["problems"]


def load_copy(directory: Path, name: str) -> Domain:
    """Return the data set that `save_copy` wrote; its `images` as params.yaml names them (see `resolve_local`).

    Raises:
        DatasetError: nothing was written, or the folder of the images does not exist.
    """
    if not is_recorded(directory):
        raise DatasetError(f"domain {name}: {directory} has no records; run `dvc repro check@{name}` first")
    findings = json.loads((directory / FINDINGS).read_text())
    images = Path(findings["images"])
    if not resolve_local(images).is_dir():
        raise DatasetError(f"domain {name}: its images were in {images}, which does not exist; put them back")
    return Domain(read_records(directory / RECORDS, name), images, findings["layout"], findings["fingerprint"])
