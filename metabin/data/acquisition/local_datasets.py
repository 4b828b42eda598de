"""Local data sets: find one, read its records, report its check and save the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.data.acquisition.check import DataCheck
from metabin.data.readers import custom
from metabin.data.store import read_records, write_records
from metabin.errors import DatasetError
from metabin.files import resolve_local, write_text
from metabin.stage_files import read_json
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
WITHDRAWN = ("dukemtmcreid",)
# Parts that the check counts. A reader leaves out other images with published counts, such as junk.
PARTS = ("train", "query", "gallery", "distractor", "all")
RECORDS = "records.csv"
FINDINGS = "findings.json"


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """A local data set, as its reader found it.

    Attributes:
        records: Sorted by path.
        images: Folder that the records' paths are relative to.
        layout: Name of the layout, as a data set may come in several.
        expected_counts: Published counts of this layout: part -> (identities, images).
    """

    records: tuple[ImageRecord, ...]
    images: Path
    layout: str
    expected_counts: Mapping[str, tuple[int, int]]


def is_custom(name: str, folder: Path) -> bool:
    """Return whether `<folder>/<name>.csv` or `<folder>/<name>` is a custom data set."""
    return name not in READERS and ((folder / f"{name}.csv").is_file() or (folder / name).is_dir())


def find_local_dataset(name: str, folder: Path, *, acknowledged: bool) -> LocalDataset:
    """Find a local data set and read its records; no image is opened.

    Args:
        name: A published data set or a custom one.
        folder: Folder of all local data sets.
        acknowledged: Whether the user knows that some data sets were withdrawn.

    Raises:
        DatasetError: The data set is absent or incomplete. The message says what to request, from
            whom, and where to put it.
    """
    if is_custom(name, folder):
        table = folder / f"{name}.csv"
        if table.is_file():
            return LocalDataset(custom.read(table, name), folder, "csv", {})
        return LocalDataset(custom.read(folder / name, name), folder / name, "folders", {})
    directory = folder / name
    reader = import_module(f"metabin.data.readers.{name}")
    options = {"acknowledged": acknowledged} if name in WITHDRAWN else {}
    records = reader.read(directory, **options)
    _, layout = reader.find_root(directory)
    return LocalDataset(records, directory, layout, published_counts(reader, layout))


def published_counts(reader: Any, layout: str) -> Mapping[str, tuple[int, int]]:
    """Return the published counts of a data set's layout, for the parts that its reader returns."""
    counts = reader.COUNTS.get(layout, reader.COUNTS)
    return {part: pair for part, pair in counts.items() if part in PARTS}


def report(dataset: LocalDataset, check: DataCheck) -> str:
    """Return the result of a check as text for a terminal."""
    lines = [
        f"{check.name} in {dataset.images}: {verdict(dataset, check)}",
        f"  layout   {dataset.layout}",
    ]
    for part, counts in check.counts.items():
        line = f"  {part:<8} {counts.ids:,} identities, {counts.images:,} images"
        line += f", {counts.cameras} cameras"
        if counts.distractors:
            line += f", {counts.distractors:,} of them distractors"
        lines.append(line)
    lines += [f"  left out: {number:,} {kind}" for kind, number in check.left_out.items()]
    lines += [f"  problem: {problem}" for problem in (*check.problems, check.untestable) if problem]
    lines += [f"  remark: {remark}" for remark in check.remarks]
    return "\n".join([*lines, f"  fingerprint {check.fingerprint}"])


def verdict(dataset: LocalDataset, check: DataCheck) -> str:
    """Return the result of a check in words; "good" only after a comparison of counts."""
    if not check.passes:
        return "FAILS"
    if dataset.expected_counts:
        return "good"
    if check.name in READERS:
        return "not checked: no published counts"
    return "readable; custom data sets have no published counts to compare with"


def is_present(name: str, folder: Path) -> bool:
    """Return whether the folder of local data sets has a folder, CSV file or archive `name`."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return any(other == name or other.startswith(f"{name}.") for other in names)


def is_recorded(directory: Path) -> bool:
    """Return whether `save_local_dataset` wrote a data set into a folder."""
    return (directory / FINDINGS).is_file()


def save_local_dataset(
    directory: Path,
    dataset: LocalDataset,
    check: DataCheck,
    *,
    images: Path,
    trials: str,
) -> None:
    """Write the records and the result of the check; no image is copied.

    Args:
        directory: Folder to write to.
        dataset: Local data set.
        check: Result of its check.
        images: `dataset.images` as params.yaml names it, the same on every machine.
        trials: Digest of the random test splits, so that other splits give another output.
    """
    write_records(directory / RECORDS, dataset.records)
    findings = {
        "images": images.as_posix(),
        "layout": dataset.layout,
        "trials": trials,
        **asdict(check),
    }
    write_text(directory / FINDINGS, json.dumps(findings, indent=1) + "\n")


def recorded_digest(directory: Path) -> str:
    """Return a digest of the files that `save_local_dataset` wrote."""
    content = [(directory / name).read_bytes() for name in (RECORDS, FINDINGS)]
    return hashlib.sha256(b"".join(content)).hexdigest()


def recorded_problems(directory: Path) -> list[str]:
    """Return the problems that the check reported."""
    return _findings(directory)["problems"]


def _findings(directory: Path) -> dict[str, Any]:
    keys = ("images", "layout", "fingerprint", "problems")
    return read_json(directory / FINDINGS, keys=keys)


def load_local_dataset(directory: Path, name: str) -> Domain:
    """Return the data set that `save_local_dataset` wrote.

    `images` of the result is relative, as in params.yaml (see `resolve_local`).

    Raises:
        DatasetError: Nothing was written, or the folder of the images does not exist.
        StageFileError: What was written is damaged.
    """
    if not is_recorded(directory):
        raise DatasetError(
            f"domain {name}: {directory} has no records; run `dvc repro check@{name}` first"
        )
    findings = _findings(directory)
    images = Path(findings["images"])
    if not resolve_local(images).is_dir():
        raise DatasetError(
            f"domain {name}: its images were in {images}, which does not exist; put them back"
        )
    records = read_records(directory / RECORDS, name)
    return Domain(records, images, findings["layout"], findings["fingerprint"])
