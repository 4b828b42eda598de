"""Test splits of the reference implementation, for users who have its test bundle.

They give the numbers of the paper. Known forms, all of them read here:
    VIPeR      folders split_1a to split_10a, each with query and gallery of p000_c1_d045.png
    PRID2011   splits_single_shot.json, [{"train": [1, 4, ...], "test": [2, 3, ...]}, ...]
    i-LIDS     splits.json, [{"train": [...], "query": ["0001001.jpg", ...], "gallery": [...]}, ...]
    GRID       splits.json, [{"query": [["/a/folder/probe/0001_1_....jpeg", 1, 0], ...],
               "gallery": ...}, ...]
VIPeR's folders split_1b to split_10d (other halves, other directions), which the paper does not
use, are left out. torchreid writes the same JSON files, and a splits.json of VIPeR in GRID's form
with both directions in turn: 20 splits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metabin.data.partition.fixed_splits import Split, people, split_of
from metabin.data.readers import viper
from metabin.data.readers.file_listing import (
    Naming,
    first_names,
    image_files,
    parse_names,
    subfolders,
)
from metabin.errors import DatasetError
from metabin.types import ImageRecord

SPLIT_FOLDER = re.compile(r"split_(?P<number>[0-9]+)a")
FORMS = "split_1a and so on, or a JSON list of splits with test, or with query and gallery"


def read_reference(path: Path, records: Sequence[ImageRecord]) -> tuple[Split, ...]:
    """Return the splits in a JSON file, or in folders split_1a, split_2a, ... of a folder.

    Args:
        path: File or folder.
        records: All images of the data set, as its reader returns them.

    Raises:
        DatasetError: There are no splits, their form is not known, or they are of other images.
    """
    if path.is_dir():
        return _read_folders(path, records)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        splits = tuple(_read_row(index, row, records) for index, row in enumerate(rows))
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,  # JSON that is nested too deeply
    ) as error:
        raise DatasetError(f"{path} cannot be read: {error!r}; expected {FORMS}") from None
    if not splits:
        raise DatasetError(f"{path} has no splits; expected {FORMS}")
    return splits


def _read_folders(folder: Path, records: Sequence[ImageRecord]) -> tuple[Split, ...]:
    matches = [match for name in subfolders(folder) if (match := SPLIT_FOLDER.fullmatch(name))]
    if not matches:
        raise DatasetError(
            f"{folder} has no folders split_1a, split_2a and so on; expected {FORMS}"
        )
    # VIPeR has one image per person and camera.
    by_camera = {(record.pid, record.camid): record for record in records}
    splits = []
    for index, match in enumerate(sorted(matches, key=lambda match: int(match["number"]))):
        split_folder = folder / match.string
        query = _read_images(split_folder / "query", viper.SPLIT_NAMING, by_camera)
        gallery = _read_images(split_folder / "gallery", viper.SPLIT_NAMING, by_camera)
        splits.append(split_of(index, query, gallery, records))
    return tuple(splits)


def _read_images(
    folder: Path, naming: Naming, by_camera: Mapping[tuple[int, int], ImageRecord]
) -> list[ImageRecord]:
    """Return the records of the images of a folder, by the pid and camera in their names."""
    records = []
    unknown = []
    for match in parse_names(image_files(folder), naming.pattern, folder, naming.example):
        record = by_camera.get((int(match["pid"]), int(match["camera"]) - 1))
        if record is None:
            unknown.append(match.string)
        else:
            records.append(record)
    if unknown:
        raise DatasetError(
            f"{folder} has images of people who are not in the data set: {first_names(unknown)}"
        )
    return records


def _read_row(index: int, row: dict[str, Any], records: Sequence[ImageRecord]) -> Split:
    if "query" not in row:
        # PRID2011: people alone, each with one image per camera
        return _read_people(index, set(row["test"]), records)
    by_name = _records_by_name(records)
    query = [_find_record(entry, by_name) for entry in row["query"]]
    gallery = [_find_record(entry, by_name) for entry in row["gallery"]]
    num_listed = sum(record.distractor for record in gallery)
    num_distractors = sum(record.distractor for record in records)
    if num_listed != num_distractors:
        raise DatasetError(
            f"split {index + 1} has {num_listed} distractors in gallery; expected all "
            f"{num_distractors} of the data set"
        )
    matches = [record for record in gallery if not record.distractor]
    return split_of(index, query, matches, records)


def _read_people(index: int, pids: set[int], records: Sequence[ImageRecord]) -> Split:
    """Return the split that tests the given people with their first two images."""
    images_of = people(records)
    if unknown := sorted(pids - images_of.keys()):
        names = first_names([str(pid) for pid in unknown])
        raise DatasetError(f"split {index + 1} tests people without a match: {names}")
    query = [images_of[pid][0] for pid in pids]
    gallery = [images_of[pid][1] for pid in pids]
    return split_of(index, query, gallery, records)


def _records_by_name(records: Sequence[ImageRecord]) -> dict[str, ImageRecord]:
    """Return every record by its folder and file name, and by its file name if that is unique."""
    by_name: dict[str, list[ImageRecord]] = {}
    for record in records:
        parts = record.path.split("/")
        # A set, as both names are equal for a file without a folder.
        for name in {parts[-1], "/".join(parts[-2:])}:
            by_name.setdefault(name, []).append(record)
    return {name: matches[0] for name, matches in by_name.items() if len(matches) == 1}


def _find_record(entry: str | list, by_name: Mapping[str, ImageRecord]) -> ImageRecord:
    """Return the record of a file name, or of [path, pid, camid].

    The path is of the machine on which the file was made, so only its last two parts count.
    """
    parts = re.split(r"[\\/]", entry if isinstance(entry, str) else entry[0])
    record = by_name.get("/".join(parts[-2:])) or by_name.get(parts[-1])
    if record is None:
        raise DatasetError(f"{entry!a} is not in the data set; expected splits of these images")
    return record
