"""The partitioned data on disk.

A domain is `<domain>.csv` (its records, in order) and `<domain>.npy` (their pixels, resized once, (N, H, W, 3) uint8,
mapped into memory and read as needed). A fold is `folds/<fold>.json` (its manifest) and `overlaps/<fold>.json` (what its
sources and its targets share).
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

from metabin.errors import DatasetError
from metabin.files import write_text
from metabin.images import read_image
from metabin.types import ImageRecord

if TYPE_CHECKING:
    import pandas as pd


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
    """Write a domain, its images in RGB and resized (bicubic, as the reference does), one after the other.

    Args:
        images: what the records' paths are relative to. on_image: told after every image.
    Returns: the sha256 of both of its files together.
    Raises:
        DatasetError: an image that cannot be read.
    """
    table = write_records(directory / f"{name}.csv", records)
    path = directory / f"{name}.npy"
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        shape = (len(records), height, width, 3)
        pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        for index, record in enumerate(records):
            pixels[index] = _decode_image(images / record.path, height, width)
            if on_image:
                on_image(1)
        pixels.flush()
        digest = hashlib.sha256(table.encode())
        with partial.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest()


def write_records(path: Path, records: Sequence[ImageRecord]) -> str:
    """Write records as a table, and return it; `part` and `distractor` are columns where a record has any."""
    columns = ["path", "pid", "camid"]
    if any(record.part or record.distractor for record in records):
        columns += ["part", "distractor"]
    table = io.StringIO()
    values = ((record.path, record.pid, record.camid, record.part, int(record.distractor)) for record in records)
    rows = [row[: len(columns)] for row in values]
    csv.writer(table, lineterminator="\n").writerows([columns, *rows])
    write_text(path, table.getvalue())
    return table.getvalue()


def read_records(path: Path, name: str) -> tuple[ImageRecord, ...]:
    """The records of a table that `write_records` wrote."""
    with _existing(path).open(newline="") as file:
        return tuple(
            ImageRecord(
                row["path"],
                int(row["pid"]),
                int(row["camid"]),
                name,
                row.get("part", ""),
                row.get("distractor", "0") == "1",
            )
            for row in csv.DictReader(file)
        )


def load_records(directory: Path, name: str) -> tuple[ImageRecord, ...]:
    """A domain's records, in the order of its pixels."""
    return read_records(directory / f"{name}.csv", name)


def records_table(directory: Path, name: str) -> pd.DataFrame:
    """`load_records` as a table: path, pid, camid."""
    import pandas as pd

    return pd.read_csv(_existing(directory / f"{name}.csv"))


def load_pixels(directory: Path, name: str) -> np.ndarray:
    """A domain's pixels, (N, H, W, 3) uint8, read-only."""
    return np.load(_existing(directory / f"{name}.npy"), mmap_mode="r", allow_pickle=False)


def save_manifest(directory: Path, values: dict[str, Any]) -> None:
    """Write a fold's manifest."""
    write_text(directory / "folds" / f"{values['fold']}.json", json.dumps(values, indent=1) + "\n")


def load_manifest(directory: Path, fold: str) -> dict[str, Any]:
    """A fold's manifest."""
    return json.loads(_existing(directory / "folds" / f"{fold}.json").read_text())


def save_overlaps(directory: Path, fold: str, leaks: Sequence[Mapping[str, Any]]) -> None:
    """Write what a fold's sources and targets share (`metabin.data.partition.overlap`)."""
    write_text(directory / "overlaps" / f"{fold}.json", json.dumps(leaks, indent=1) + "\n")


def load_overlaps(directory: Path, fold: str) -> list[dict[str, Any]]:
    """What a fold's sources and targets share."""
    return json.loads(_existing(directory / "overlaps" / f"{fold}.json").read_text())


def save_image_roots(directory: Path, roots: Mapping[str, Path]) -> None:
    """Write where the images of every domain are; what looks at images after the partition needs it."""
    write_text(directory / "images.json", json.dumps({name: root.as_posix() for name, root in roots.items()}) + "\n")


def load_image_roots(directory: Path) -> dict[str, Path]:
    """What the records' paths of every domain are relative to."""
    return {name: Path(root) for name, root in json.loads(_existing(directory / "images.json").read_text()).items()}


def num_trials(values: Mapping[str, Any], domain: str) -> int:
    """How often a domain is tested, each time with another query and gallery; 0 where both are fixed."""
    return len(values["domains"][domain].get("trials", ()))


def part_rows(values: Mapping[str, Any], domain: str, part: str, trial: int | None = None) -> np.ndarray:
    """The rows of one part of one domain, or of one of its trials, (n,) int64, from a manifest."""
    entry = values["domains"][domain]
    ranges = entry["rows"][part] if trial is None else entry["trials"][trial][part]
    return np.concatenate([np.arange(start, stop) for start, stop in ranges] or [np.empty(0, np.int64)])


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"{path} is missing; run `dvc repro partition`, and check that protocol.domains names it")
    return path


def _decode_image(path: Path, height: int, width: int) -> np.ndarray:
    return np.asarray(read_image(path).resize((width, height), Image.Resampling.BICUBIC))
