"""The images that an argument of a command names: a folder, a CSV file, a list, or one image."""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from metabin.errors import DatasetError
from metabin.images import SUFFIXES, UNREADABLE_SUFFIXES

STANDARD_INPUT = "-"
EXPECTED = (
    "expected is a folder of images, an image, a CSV file with a column `path`, "
    "or a text file with one path per line"
)


@dataclass(frozen=True, slots=True)
class ImageList:
    """Images in order.

    Attributes:
        root: Folder from which relative paths start.
        paths: Relative to `root`, or absolute.
    """

    root: Path
    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def files(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Return the paths of some images as they are opened."""
        return [str(self.root / path) for path in self.paths[start:stop]]

    def digest(self) -> str:
        """Return a sha256 that changes with the folder, the paths or their order."""
        digest = hashlib.sha256(str(self.root.resolve()).encode())
        for path in self.paths:
            digest.update(b"\0" + path.encode())
        return digest.hexdigest()


def read_image_list(source: str) -> ImageList:
    """Return the images that an argument names.

    Args:
        source: A folder, read with the folders in it; a CSV file with a column `path`; an image; a
            text file with one path per line; or "-", such lines on standard input. Relative paths
            start from the folder of the file that lists them, those on standard input from the
            working directory.

    Raises:
        DatasetError: There is no such file, or it names no image.
    """
    images = _read(source)
    if not images.paths:
        raise DatasetError(_no_images(source))
    for path in images.paths:
        # Linux allows any bytes in a name, and Python then holds lone surrogates.
        if not _is_unicode(path):
            raise DatasetError(
                f"the file name {path!a} is not UTF-8, which Parquet needs; rename the file"
            )
        if "\0" in path:
            raise DatasetError(
                f"{source} lists the path {path!a}, with a character that no file name has; "
                f"{EXPECTED}"
            )
    return images


def _read(source: str) -> ImageList:
    if not source:  # as of a variable of the shell that is not set; Path takes it for "."
        raise DatasetError(f"the input is an empty text; {EXPECTED}")
    if source == STANDARD_INPUT:
        with _text(source):
            return ImageList(Path(), _lines(sys.stdin))
    path = Path(source)
    if not path.exists():
        raise DatasetError(f"{source} does not exist; {EXPECTED}")
    if path.is_dir():
        return ImageList(path, _image_files(path))
    suffix = path.suffix.lower()
    if suffix in SUFFIXES or suffix in UNREADABLE_SUFFIXES:
        return ImageList(Path(), [source])  # the path as it is given, not relative to a folder
    # Excel begins a CSV file with a byte order mark, which utf-8-sig removes.
    with _text(source), path.open(encoding="utf-8-sig", newline="") as file:
        lines = _csv_column(source, file) if suffix == ".csv" else _lines(file)
    return ImageList(path.parent, lines)


@contextmanager
def _text(source: str) -> Iterator[None]:
    """Turn the errors of reading a text into a DatasetError that names the file."""
    try:
        yield
    except UnicodeDecodeError:
        raise DatasetError(f"{source} is not text; {EXPECTED}") from None
    except csv.Error as error:
        raise DatasetError(f"{source} is no CSV file ({error}); {EXPECTED}") from None


def _image_files(folder: Path) -> list[str]:
    """Return the images in a folder and the folders in it, relative to it and sorted.

    Images of formats that are not read, such as HEIC, are included: they must not be left out
    without a message. Hidden files and folders are skipped, as in the data sets of the pipeline.
    """
    paths = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        # os.walk enters the folders that remain in this list.
        folders[:] = [name for name in folders if not _is_skipped(Path(parent), name)]
        for name in names:
            if not name.startswith(".") and name.lower().endswith(
                (*SUFFIXES, *UNREADABLE_SUFFIXES)
            ):
                paths.append((Path(parent) / name).relative_to(folder).as_posix())
    return sorted(paths)


def _is_skipped(parent: Path, folder: str) -> bool:
    """Return whether a folder is hidden, or a link to a folder above it, which would never end."""
    if folder.startswith("."):
        return True
    path = parent / folder
    return path.is_symlink() and parent.resolve().is_relative_to(path.resolve())


def _csv_column(source: str, file: Iterable[str]) -> list[str]:
    rows = csv.DictReader(file)
    columns = rows.fieldnames or []
    if list(columns).count("path") != 1:
        names = " ".join(", ".join(columns).split())  # on one line, whatever is in them
        raise DatasetError(
            f"{source} has the columns {names or '(none)'}; "
            "expected is a column `path` with the paths of the images"
        )
    paths = []
    for row in rows:
        if None in row:  # csv's key of further values
            raise DatasetError(
                f"{source}, line {rows.line_num}: there are more values than columns; "
                "put a path with a comma in quotes"
            )
        if not row["path"]:
            raise DatasetError(
                f"{source}, line {rows.line_num}: the path is empty; remove the line"
            )
        paths.append(row["path"])
    return paths


def _lines(file: Iterable[str]) -> list[str]:
    """Return the lines of a file that are not empty."""
    lines = (line.rstrip("\r\n") for line in file)
    return [line for line in lines if line.strip()]


def _is_unicode(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_images(source: str) -> str:
    if source == STANDARD_INPUT:
        return "standard input is empty; expected is one path of an image per line"
    if Path(source).is_dir():
        return (
            f"{source} has no images; expected are files such as .jpg or .png "
            "in it or in the folders in it"
        )
    return f"{source} names no image; {EXPECTED}"
