"""The reference's own splits, for whoever has its test bundle and wants the numbers of the paper.

Known forms, all of them read here:
    VIPeR      folders split_1a to split_10a, each with query and gallery of p000_c1_d045.png
    PRID2011   splits_single_shot.json, [{"train": [1, 4, ...], "test": [2, 3, ...]}, ...]
    i-LIDS     splits.json, [{"train": [...], "query": ["0001001.jpg", ...], "gallery": [...]}, ...]
    GRID       splits.json, [{"query": [["/some/folder/probe/0001_1_....jpeg", 1, 0], ...], "gallery": ...}, ...]
The folders b, c and d of VIPeR (other halves, other directions), which the paper does not use, are left out. torchreid
writes the same JSON files, and a splits.json of VIPeR in GRID's form with both directions in turn: 20 splits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metabin.data.partition.fixed_splits import Split, describe, people
from metabin.data.readers import viper
from metabin.data.readers.file_listing import Naming, image_files, parse_names, shown, subfolders
from metabin.errors import DatasetError
from metabin.types import ImageRecord

SPLIT_FOLDER = re.compile(r"split_(?P<number>[0-9]+)a")
FORMS = "split_1a and so on, or a JSON list of splits with test, or with query and gallery"


def read_reference(path: Path, records: Sequence[ImageRecord]) -> tuple[Split, ...]:
    """The splits in a JSON file, or in the folders split_1a, split_2a, ... of the folder `path`.

    Args:
        records: The data set, as its reader gives it.

    Raises:
        DatasetError: there are no splits, or not in a known form, or they are of other images.
    """
    if path.is_dir():
        return _read_folders(path, records)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        splits = tuple(_read_row(index, row, records) for index, row in enumerate(rows))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read: {error!r}; wanted {FORMS}") from None
    if not splits:
        raise DatasetError(f"{path} has no splits; wanted {FORMS}")
    return splits


def _read_folders(folder: Path, records: Sequence[ImageRecord]) -> tuple[Split, ...]:
    matches = [match for name in subfolders(folder) if (match := SPLIT_FOLDER.fullmatch(name))]
    if not matches:
        raise DatasetError(f"{folder} has no folders split_1a, split_2a and so on; wanted {FORMS}")
    by_camera = {(record.pid, record.camid): record for record in records}
    splits = []
    for index, match in enumerate(sorted(matches, key=lambda match: int(match["number"]))):
        place = folder / match.string
        query, gallery = (_read_images(place / role, viper.SPLIT_NAMING, by_camera) for role in ("query", "gallery"))
        splits.append(describe(index, query, gallery, records))
    return tuple(splits)


def _read_images(folder: Path, naming: Naming, by_camera: dict[tuple[int, int], ImageRecord]) -> list[ImageRecord]:
    matches = parse_names(image_files(folder), naming.pattern, folder, naming.example)
    keys = [(int(match["pid"]), int(match["camera"]) - 1) for match in matches]
    if unknown := [match.string for key, match in zip(keys, matches, strict=True) if key not in by_camera]:
        raise DatasetError(f"{folder} has images of people who are not in the data set: {shown(unknown)}")
    return [by_camera[key] for key in keys]


def _read_row(index: int, row: dict[str, Any], records: Sequence[ImageRecord]) -> Split:
    if "query" not in row:
        found, test = people(records), set(row["test"])
        if unknown := sorted(test - found.keys()):
            raise DatasetError(f"split {index + 1} tests people without a match: {shown([str(p) for p in unknown])}")
        images = [found[pid] for pid in test]
        return describe(index, [first for first, *_ in images], [second for _, second, *_ in images], records)
    by_name = _by_name(records)
    query, gallery = ([_find(entry, by_name) for entry in row[part]] for part in ("query", "gallery"))
    listed = sum(record.distractor for record in gallery)
    if listed != (wanted := sum(record.distractor for record in records)):
        raise DatasetError(
            f"split {index + 1} has {listed} distractors in gallery; wanted all {wanted} of the data set"
        )
    return describe(index, query, [record for record in gallery if not record.distractor], records)


def _by_name(records: Sequence[ImageRecord]) -> dict[str, ImageRecord]:
    """Every record by its folder and file name, and by its file name where no other has it."""
    names: dict[str, list[ImageRecord]] = {}
    for record in records:
        parts = record.path.split("/")
        for name in {parts[-1], "/".join(parts[-2:])}:
            names.setdefault(name, []).append(record)
    return {name: found[0] for name, found in names.items() if len(found) == 1}


def _find(entry: str | list, by_name: dict[str, ImageRecord]) -> ImageRecord:
    """The record of a file name, or of [path, pid, camid] with a path on whatever machine the file was made."""
    parts = re.split(r"[\\/]", entry if isinstance(entry, str) else entry[0])
    record = by_name.get("/".join(parts[-2:])) or by_name.get(parts[-1])
    if record is None:
        raise DatasetError(f"{entry!a} is not in the data set; wanted splits of these images")
    return record
