"""The partitioned data on disk.

A domain is `<domain>.csv` (its records, in order) and `<domain>.npy` (their pixels, resized once,
(N, H, W, 3) uint8, mapped into memory and read as needed). A fold is `folds/<fold>.json` (its
manifest) and `overlaps/<fold>.json` (the overlap of its sources and targets).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from metabin.errors import DatasetError, StageFileError
from metabin.files import DISK_FULL, disk_full, reserve_space, write_text
from metabin.images import read_image
from metabin.stage_files import read_csv, read_json, read_text, reading
from metabin.types import ImageRecord

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 1 << 20  # bytes that are hashed at a time
REPRO = "run `dvc repro partition`"


def save_domain(
    directory: Path,
    name: str,
    records: Sequence[ImageRecord],
    images: Path,
    *,
    height: int,
    width: int,
    on_image: Callable[[int], None] | None = None,
) -> str:
    """Write a domain: its records, and its images in RGB and resized, one after the other.

    Images are resized with bicubic interpolation, as in the reference.

    Args:
        directory: Folder of the partition.
        name: Name of the domain.
        records: All images of the domain.
        images: Folder that the records' paths are relative to.
        height: Height of the resized images, in pixels.
        width: Their width, in pixels.
        on_image: Called with 1 after every image, for progress.

    Returns:
        The sha256 of both files together.

    Raises:
        DatasetError: An image cannot be read.
        OSError: The disk is full; an earlier array stays.
    """
    table = write_records(directory / f"{name}.csv", records)
    path = directory / f"{name}.npy"
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        paths = [images / record.path for record in records]
        _write_pixels(partial, paths, height, width, on_image)
        # In blocks, as the array of a large data set does not fit into memory.
        digest = hashlib.sha256(table.encode())
        with partial.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        partial.replace(path)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(path, len(records) * height * width * 3) from None
        raise
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest()


def write_records(path: Path, records: Sequence[ImageRecord]) -> str:
    """Write records as a CSV file and return its text.

    The columns `part` and `distractor` are only there if a record has either.
    """
    columns = ["path", "pid", "camid"]
    if any(record.part or record.distractor for record in records):
        columns += ["part", "distractor"]
    rows = [
        (record.path, record.pid, record.camid, record.part, int(record.distractor))
        for record in records
    ]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(row[: len(columns)] for row in rows)
    write_text(path, table.getvalue())
    return table.getvalue()


def read_records(path: Path, name: str) -> tuple[ImageRecord, ...]:
    """Return the records of domain `name` from a file that `write_records` wrote."""
    with reading(_existing(path)):
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
        if missing := {"path", "pid", "camid"} - set(reader.fieldnames or ()):
            raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        return tuple(
            ImageRecord(
                path=row["path"],
                pid=int(row["pid"]),
                camid=int(row["camid"]),
                domain=name,
                part=row.get("part", ""),
                distractor=row.get("distractor", "0") == "1",
            )
            for row in reader
        )


def load_records(directory: Path, name: str) -> tuple[ImageRecord, ...]:
    """Return a domain's records, in the order of its pixels."""
    return read_records(directory / f"{name}.csv", name)


def records_table(directory: Path, name: str) -> pd.DataFrame:
    """Return `load_records` as a table: path, pid, camid."""
    return read_csv(_existing(directory / f"{name}.csv"), ("path", "pid", "camid"))


def load_pixels(directory: Path, name: str) -> np.ndarray:
    """Return a domain's pixels, (N, H, W, 3) uint8, read-only."""
    path = _existing(directory / f"{name}.npy")
    with reading(path, REPRO):
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            found = f"{pixels.dtype} of shape {pixels.shape}"
            raise ValueError(f"it holds {found}, expected uint8 of shape (N, H, W, 3)")
        return pixels


def load_domain(directory: Path, name: str) -> tuple[tuple[ImageRecord, ...], np.ndarray]:
    """Return `load_records` and `load_pixels` of a domain.

    Raises:
        DatasetError: A file is missing.
        StageFileError: A file is damaged, or the files are not of the same images.
    """
    records = load_records(directory, name)
    pixels = load_pixels(directory, name)
    if len(records) != len(pixels):
        raise StageFileError(
            f"{directory / name}.csv has {len(records)} records and {name}.npy has {len(pixels)} "
            f"images; {REPRO} to make both again"
        )
    return records, pixels


def save_manifest(directory: Path, values: dict[str, Any]) -> None:
    """Write a fold's manifest."""
    text = json.dumps(values, indent=1) + "\n"
    write_text(directory / "folds" / f"{values['fold']}.json", text)


def load_manifest(directory: Path, fold: str) -> dict[str, Any]:
    """Return a fold's manifest."""
    path = _existing(directory / "folds" / f"{fold}.json")
    return read_json(path, keys=("fold", "sources", "targets", "domains"), remedy=REPRO)


def save_overlaps(directory: Path, fold: str, overlaps: Sequence[Mapping[str, Any]]) -> None:
    """Write the overlaps of a fold (see `metabin.data.partition.overlap`)."""
    text = json.dumps(overlaps, indent=1) + "\n"
    write_text(directory / "overlaps" / f"{fold}.json", text)


def load_overlaps(directory: Path, fold: str) -> list[dict[str, Any]]:
    """Return the overlaps of a fold, one entry per source and target."""
    return read_json(_existing(directory / "overlaps" / f"{fold}.json"), list, remedy=REPRO)


def save_image_roots(directory: Path, roots: Mapping[str, Path]) -> None:
    """Write the folder of the images of every domain, for later stages that open images."""
    text = json.dumps({name: root.as_posix() for name, root in roots.items()}) + "\n"
    write_text(directory / "images.json", text)


def load_image_roots(directory: Path) -> dict[str, Path]:
    """Return, by domain, the folder that the records' paths are relative to."""
    roots = read_json(_existing(directory / "images.json"), remedy=REPRO)
    return {name: Path(root) for name, root in roots.items()}


def num_trials(values: Mapping[str, Any], domain: str) -> int:
    """Return how often a manifest tests a domain, each time with another query and gallery.

    It is 0 if both are fixed.
    """
    return len(values["domains"][domain].get("trials", ()))


def part_rows(
    values: Mapping[str, Any],
    domain: str,
    part: str,
    trial: int | None = None,
) -> np.ndarray:
    """Return the rows of one part of a domain, or of one of its trials, (n,) int64.

    Args:
        values: Manifest of the fold.
        domain: Name of the domain.
        part: "train", "query" or "gallery".
        trial: Number of the trial, from 0; None for a fixed test.
    """
    entry = values["domains"][domain]
    ranges = entry["rows"][part] if trial is None else entry["trials"][trial][part]
    if not ranges:
        return np.empty(0, np.int64)
    return np.concatenate([np.arange(start, stop) for start, stop in ranges])


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"{path} is missing; {REPRO}, and check that protocol.domains names it")
    return path


def _write_pixels(
    file: Path,
    paths: Sequence[Path],
    height: int,
    width: int,
    on_image: Callable[[int], None] | None,
) -> None:
    """Decode and resize images, one after the other, into one array on disk."""
    # Images go to the disk one by one, as all of them may not fit into memory.
    shape = (len(paths), height, width, 3)
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    with file.open("r+b") as descriptor:  # the file is sparse yet
        reserve_space(descriptor.fileno(), file.stat().st_size)
    for index, path in enumerate(paths):
        image = read_image(path).resize((width, height), Image.Resampling.BICUBIC)
        pixels[index] = np.asarray(image)
        if on_image:
            on_image(1)
    pixels.flush()
