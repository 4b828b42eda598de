"""Custom data sets: a domain from a CSV file or from a folder like Market-1501's, without code.

The CSV file has a header and the columns path, pid, camid, domain and maybe split, in any order:
    path    relative to the file's folder, with forward slashes; the image must exist
    pid     an integer >= 0, one for each person
    camid   an integer >= 0, one for each camera. Without this column every image has its own
            camera, so the rule of the same camera excludes nothing from the gallery;
            near-duplicates of a query then count as matches
    domain  the domain's name; one file may list several domains, rows of other names are ignored
    split   train, query or gallery. Without this column no person is for training. For every
            person seen by at least two cameras, the first image (by camid, then path) is a query;
            all other images are gallery
The folder has bounding_box_train, query and bounding_box_test with images like
`0002_c13_anything.jpg`: person 2, camera 13. The suffix is any that `metabin.images` reads. Cameras
count from 1, or from 0 if there is a camera 0. As in Market-1501 person -1 is junk and is excluded,
and images of person 0 in bounding_box_test are distractors, unless person 0 is also in one of the
other folders.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from metabin.data.readers.file_listing import IMAGES, Naming, first_names
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.data.readers.market_layout import CONTENTS, has_parts, read_parts
from metabin.errors import DatasetError
from metabin.types import ImageRecord

REQUIRED = ("path", "pid", "domain")
COLUMNS = (*REQUIRED, "camid", "split")
PARTS = ("train", "query", "gallery")
NUMBER = re.compile("[0-9]{1,18}")  # fits int64
JUNK = -1
DISTRACTOR = 0
EXPECTED = Expected(
    "custom data set",
    f"{CONTENTS}, or give a .csv file",
    "See metabin/data/readers/custom.py for both forms",
)
ANY_SUFFIX = "|".join(map(re.escape, IMAGES))
NAMING = Naming(
    re.compile(
        r"(?P<pid>-1|[0-9]{1,18})_c(?P<camera>[0-9]{1,9})"
        rf"(?:[^0-9].*)?(?i:{ANY_SUFFIX})"
    ),
    "0002_c13_01.jpg",
    IMAGES,
)


def read(path: Path, name: str) -> tuple[ImageRecord, ...]:
    """Return the images of the domain `name`, sorted by path.

    Paths are relative to the CSV file's folder, or to the folder `path`.

    Args:
        path: The CSV file, or the folder (or its parent).
        name: Name of the domain.

    Raises:
        DatasetError: The file or folder is missing, has a wrong header, row or name, or has a
            person both in train and in the test.
    """
    if path.is_dir():
        records = _read_folder(path, name)
    elif path.suffix.lower() == ".csv" and path.is_file():
        records = _read_csv(path, name)
    else:
        problem = "is no .csv file" if path.exists() else "is not there"
        raise DatasetError(
            f"{name}: {path} {problem}; expected a .csv file, or a folder with {CONTENTS}"
        )
    records = sorted(records, key=lambda record: record.path)
    train = {record.pid for record in records if record.part == "train"}
    test = {record.pid for record in records if record.part != "train"}
    if shared := sorted(test & train):
        raise DatasetError(
            f"{name}: {path} has {len(shared)} people both in train and in the test: "
            f"{first_names([str(pid) for pid in shared])}; number different people differently, "
            "and keep each on one side"
        )
    return tuple(records)


def _detect(folder: Path) -> str | None:
    return "parts" if has_parts(folder, NAMING, EXPECTED) else None


def _read_folder(directory: Path, name: str) -> list[ImageRecord]:
    """Return the images of bounding_box_train, query and bounding_box_test."""
    root, _ = find_layout(directory, EXPECTED, _detect)
    images = [
        (part, path, int(match["pid"]), int(match["camera"]))
        for part, path, match in read_parts(root, directory, NAMING)
        if int(match["pid"]) != JUNK
    ]
    # Cameras count from 1, or from 0 if there is a camera 0.
    first_camera = min((1, *(camera for *_, camera in images)))
    # Person 0 is a distractor if all its images are in the gallery.
    zero_is_distractor = all(part == "gallery" for part, _, pid, _ in images if pid == DISTRACTOR)
    return [
        ImageRecord(
            path,
            pid,
            camera - first_camera,
            name,
            part,
            distractor=zero_is_distractor and pid == DISTRACTOR,
        )
        for part, path, pid, camera in images
    ]


def _read_csv(file: Path, name: str) -> list[ImageRecord]:
    """Return the images of the rows of one domain."""
    header, rows = _rows(file)
    records: list[ImageRecord] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        if row["domain"] != name:
            continue
        record = _record(file, line, row)
        if record.path in lines:
            raise _row_error(file, line, f"{record.path!a} is in line {lines[record.path]} already")
        lines[record.path] = line
        records.append(record)
    if not records:
        domains = first_names(sorted({row["domain"] for _, row in rows})) or "no rows"
        raise DatasetError(
            f"{file} has no images of the domain {name!a}, but {domains}; name one of its domains"
        )
    records.sort(key=lambda record: record.path)
    if "camid" not in header:
        records = [replace(record, camid=camid) for camid, record in enumerate(records)]
    return records if "split" in header else _with_parts(records)


def _rows(file: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header, and number and values of every line below it, without empty lines."""
    rows = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [column.strip() for column in next(reader, [])]
            _check_header(file, header)
            for values in filter(None, reader):
                if len(values) != len(header):
                    problem = f"has {len(values)} values; expected {len(header)}"
                    raise _row_error(file, reader.line_num, problem)
                row = {
                    column: value if column == "path" else value.strip()
                    for column, value in zip(header, values, strict=True)
                }
                rows.append((reader.line_num, row))
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(
            f"{file} cannot be read: {error}; save it as CSV in UTF-8, with commas"
        ) from None
    return header, rows


def _check_header(file: Path, header: Sequence[str]) -> None:
    lacking = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    if lacking:
        problem = f"lacks {', '.join(lacking)}"
    elif unknown:
        problem = f"has {first_names(unknown)}"
    elif len(header) > len(set(header)):
        problem = "has a column twice"
    else:
        return
    expected = f"{', '.join(REQUIRED)}, maybe camid and split"
    raise _row_error(file, 1, f"the header {problem}; expected {expected}")


def _record(file: Path, line: int, row: Mapping[str, str]) -> ImageRecord:
    for column in ("pid", "camid"):
        if column in row and not NUMBER.fullmatch(row[column]):
            raise _row_error(file, line, f"{column} is {row[column]!a}; expected an integer >= 0")
    part = row.get("split", "train")
    if part not in PARTS:
        raise _row_error(file, line, f"split is {part!a}; expected {', '.join(PARTS)}")
    path = _image_path(file, line, row["path"])
    camid = int(row.get("camid", 0))
    return ImageRecord(path.as_posix(), int(row["pid"]), camid, row["domain"], part)


def _image_path(file: Path, line: int, text: str) -> PurePosixPath:
    """Return the path of an existing image below the CSV file's folder."""
    path = PurePosixPath(text)
    has_drive = re.match("[A-Za-z]:", text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or has_drive:
        expected = f"one below {file.parent}, with forward slashes"
        raise _row_error(file, line, f"path is {text!a}; expected {expected}")
    if not os.path.isfile(file.parent / path):  # noqa: PTH113 - no error for odd names
        problem = f"{text!a} is not there; expected an image in {file.parent}"
        raise _row_error(file, line, problem)
    return path


def _with_parts(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Return the records with parts by the rule for a missing column `split`, see above."""
    first: dict[int, ImageRecord] = {}
    camids: dict[int, set[int]] = {}
    for record in sorted(records, key=lambda record: (record.camid, record.path)):
        first.setdefault(record.pid, record)
        camids.setdefault(record.pid, set()).add(record.camid)
    queries = {record.path for pid, record in first.items() if len(camids[pid]) > 1}
    return [
        replace(record, part="query" if record.path in queries else "gallery") for record in records
    ]


def _row_error(file: Path, line: int, problem: str) -> DatasetError:
    return DatasetError(f"{file}, line {line}: {problem}")
