"""Your own images as a domain, without a line of code: a CSV file that lists them, or a folder like Market-1501's.

The CSV file has a header and the columns path, pid, camid, domain and maybe split, in any order:
    path    relative to the file's folder, with forward slashes; the image has to be there
    pid     a whole number from 0, one for each person
    camid   a whole number from 0, one for each camera. Without this column every image gets a camera of its own, so the
            rule of the same camera takes nothing out of the gallery; near copies of a query then count as found
    domain  the domain's name; one file may list several domains, and the rows of other names are left out
    split   train, query or gallery. Without this column nobody is set apart to train, and of every person whom at least
            two cameras saw, the first image (by camid, then path) is a query; all other images are gallery
The folder has bounding_box_train, query and bounding_box_test with images like `0002_c13_anything.jpg`: person 2,
camera 13. The suffix is any that `metabin.images` reads. Cameras count from 1, or from 0 where there is a
camera 0. As in Market-1501 person -1 is junk and left out, and images of person 0 in bounding_box_test are
distractors, unless person 0 is also in one of the other folders.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from metabin.data.readers.file_listing import IMAGES, Naming, Wanted, find_layout, shown
from metabin.data.readers.market_layout import CONTENTS, has_parts, read_parts
from metabin.errors import DatasetError
from metabin.types import ImageRecord

REQUIRED = ("path", "pid", "domain")
COLUMNS = (*REQUIRED, "camid", "split")
PARTS = ("train", "query", "gallery")
NUMBER = re.compile("[0-9]{1,18}")  # fits int64
JUNK, DISTRACTOR = -1, 0
WANTED = Wanted("own images", f"{CONTENTS}, or give a .csv file", "See metabin/data/readers/custom.py for both forms")
ANY_SUFFIX = "|".join(map(re.escape, IMAGES))
NAMING = Naming(
    re.compile(rf"(?P<pid>-1|[0-9]{{1,18}})_c(?P<camera>[0-9]{{1,9}})(?:[^0-9].*)?(?i:{ANY_SUFFIX})"),
    "0002_c13_01.jpg",
    IMAGES,
)


def read(path: Path, name: str) -> tuple[ImageRecord, ...]:
    """The images of the domain `name`, sorted by path: relative to the CSV file's folder, or to the folder `path`.

    Args:
        path: The CSV file, or the folder (or its parent).

    Raises:
        DatasetError: neither is there; a wrong header, row or name; a person who trains and is tested.
    """
    if path.is_dir():
        records = _read_folder(path, name)
    elif path.suffix.lower() == ".csv" and path.is_file():
        records = _read_csv(path, name)
    else:
        what = "is no .csv file" if path.exists() else "is not there"
        raise DatasetError(f"{name}: {path} {what}; wanted a .csv file, or a folder with {CONTENTS}")
    records = sorted(records, key=lambda record: record.path)
    test = {record.pid for record in records if record.part != "train"}
    if shared := sorted(test & {record.pid for record in records if record.part == "train"}):
        raise DatasetError(
            f"{name}: {path} has {len(shared)} people who train and are tested: {shown([str(pid) for pid in shared])}; "
            "number different people differently, and keep each on one side"
        )
    return tuple(records)


def _read_folder(directory: Path, name: str) -> list[ImageRecord]:
    root, _ = find_layout(directory, WANTED, lambda folder: "parts" if has_parts(folder, NAMING, WANTED) else None)
    found = [
        (part, path, int(match["pid"]), int(match["camera"]))
        for part, path, match in read_parts(root, directory, NAMING)
        if int(match["pid"]) != JUNK
    ]
    first_camera = min((1, *(camera for *_, camera in found)))
    zero_is_nobody = all(part == "gallery" for part, _, pid, _ in found if pid == DISTRACTOR)
    return [
        ImageRecord(path, pid, camera - first_camera, name, part, zero_is_nobody and pid == DISTRACTOR)
        for part, path, pid, camera in found
    ]


def _read_csv(file: Path, name: str) -> list[ImageRecord]:
    header, rows = _rows(file)
    records: list[ImageRecord] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        if row["domain"] != name:
            continue
        record = _record(file, line, row)
        if record.path in lines:
            raise _wrong(file, line, f"{record.path!a} is in line {lines[record.path]} already")
        lines[record.path] = line
        records.append(record)
    if not records:
        found = shown(sorted({row["domain"] for _, row in rows})) or "no rows"
        raise DatasetError(f"{file} has nothing of the domain {name!a}, but {found}; name one of its domains")
    records.sort(key=lambda record: record.path)
    if "camid" not in header:
        records = [replace(record, camid=camid) for camid, record in enumerate(records)]
    return records if "split" in header else _with_parts(records)


def _rows(file: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The header, and number and values of every line below it; lines without content are left out."""
    rows = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [column.strip() for column in next(reader, [])]
            _check_header(file, header)
            for values in filter(None, reader):
                if len(values) != len(header):
                    raise _wrong(file, reader.line_num, f"has {len(values)} values; wanted {len(header)}")
                row = dict(zip(header, values, strict=True))
                rows.append((reader.line_num, {key: row[key] if key == "path" else row[key].strip() for key in row}))
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{file} cannot be read: {error}; save it as CSV in UTF-8, with commas") from None
    return header, rows


def _check_header(file: Path, header: Sequence[str]) -> None:
    lacking = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    if lacking or unknown or len(header) > len(set(header)):
        what = f"lacks {', '.join(lacking)}" if lacking else f"has {shown(unknown) if unknown else 'a column twice'}"
        raise _wrong(file, 1, f"the header {what}; wanted {', '.join(REQUIRED)}, maybe camid and split")


def _record(file: Path, line: int, row: Mapping[str, str]) -> ImageRecord:
    for column in ("pid", "camid"):
        if column in row and not NUMBER.fullmatch(row[column]):
            raise _wrong(file, line, f"{column} is {row[column]!a}; wanted a whole number from 0")
    part = row.get("split", "train")
    if part not in PARTS:
        raise _wrong(file, line, f"split is {part!a}; wanted {', '.join(PARTS)}")
    path = PurePosixPath(row["path"])
    if path.is_absolute() or ".." in path.parts or "\\" in row["path"] or re.match("[A-Za-z]:", row["path"]):
        raise _wrong(file, line, f"path is {row['path']!a}; wanted one below {file.parent}, with forward slashes")
    if not os.path.isfile(file.parent / path):  # noqa: PTH113 - false, not an error, for names no system can have
        raise _wrong(file, line, f"{row['path']!a} is not there; wanted an image in {file.parent}")
    return ImageRecord(path.as_posix(), int(row["pid"]), int(row.get("camid", 0)), row["domain"], part)


def _with_parts(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """The rule for where there is no split: see the column `split` above."""
    first: dict[int, ImageRecord] = {}
    camids: dict[int, set[int]] = {}
    for record in sorted(records, key=lambda record: (record.camid, record.path)):
        first.setdefault(record.pid, record)
        camids.setdefault(record.pid, set()).add(record.camid)
    queries = {record.path for pid, record in first.items() if len(camids[pid]) > 1}
    return [replace(record, part="query" if record.path in queries else "gallery") for record in records]


def _wrong(file: Path, line: int, what: str) -> DatasetError:
    return DatasetError(f"{file}, line {line}: {what}")
