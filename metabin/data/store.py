"""The partitioned data on disk.

A domain is `<domain>.csv` (its records, in order) and `<domain>.npy` (their pixels, resized once, (N, H, W, 3) uint8,
mapped into memory and read as needed). A fold is `folds/<fold>.json` (its manifest).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from metabin.errors import DatasetError
from metabin.files import write_bytes, write_text
from metabin.types import ImageRecord

if TYPE_CHECKING:
    import pandas as pd


def decode(records: Sequence[ImageRecord], directory: Path, height: int, width: int) -> np.ndarray:
    """The images in RGB, resized (bicubic, as the reference does) to (N, height, width, 3) uint8."""
    return np.stack([_decode_image(directory / record.path, height, width) for record in records])


def save_domain(directory: Path, name: str, records: Sequence[ImageRecord], pixels: np.ndarray) -> str:
    """Write a domain; returns the sha256 of both of its files together."""
    table = io.StringIO()
    rows = [(record.path, record.pid, record.camid) for record in records]
    csv.writer(table, lineterminator="\n").writerows([("path", "pid", "camid"), *rows])
    array = io.BytesIO()
    np.save(array, pixels, allow_pickle=False)
    write_text(directory / f"{name}.csv", table.getvalue())
    write_bytes(directory / f"{name}.npy", array.getvalue())
    return hashlib.sha256(table.getvalue().encode() + array.getvalue()).hexdigest()


def load_records(directory: Path, name: str) -> tuple[ImageRecord, ...]:
    """A domain's records, in the order of its pixels."""
    with _existing(directory / f"{name}.csv").open(newline="") as file:
        return tuple(ImageRecord(row["path"], int(row["pid"]), int(row["camid"]), name) for row in csv.DictReader(file))


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


def part_rows(values: Mapping[str, Any], domain: str, part: str) -> np.ndarray:
    """The rows of one part of one domain, (n,) int64, from a manifest."""
    ranges = values["domains"][domain]["rows"][part]
    return np.concatenate([np.arange(start, stop) for start, stop in ranges] or [np.empty(0, np.int64)])


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"{path} is missing; run `dvc repro partition`, and check that protocol.domains names it")
    return path


def _decode_image(path: Path, height: int, width: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"{path} cannot be read as an image: {error}; delete it and fetch its domain again"
        ) from None
