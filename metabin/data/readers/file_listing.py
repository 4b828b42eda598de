"""List the images of a folder, parse their names, and report names that do not belong.

A reader describes the names of its images once, and reads a folder of them:
    NAMING = Naming(PATTERN, "0002_c1s1_000451_03.jpg")
    for path, match in read_folder(root / "query", directory, NAMING): ...
The steps are also functions of their own, for readers that need more than names:
    names = image_files(root / "query")          # sorted; without hidden files and Thumbs.db
    matches = parse_names(names, PATTERN, root / "query", "0002_c1s1_000451_03.jpg")
    path = relative_path(root / "query", directory, names[0])  # as in ImageRecord.path
Only names are read. Anything unexpected raises DatasetError. `layout_search` finds the root.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from metabin.data.readers.unused_files import describe, other_images
from metabin.errors import DatasetError
from metabin.images import SUFFIXES

NUM_NAMED = 3  # wrong names in a message
IMAGES = SUFFIXES  # of custom data sets
RELEASED = (".jpg", ".jpeg", ".png", ".bmp")  # of published data sets


@dataclass(frozen=True, slots=True)
class Naming:
    """Image names of a data set.

    Attributes:
        pattern: Each name with one of `suffixes` must match it in full.
        example: A name that does.
        suffixes: Suffixes of images, in lower case with the dot.
    """

    pattern: re.Pattern[str]
    example: str
    suffixes: Collection[str] = RELEASED


def image_files(folder: Path, suffixes: Collection[str] = RELEASED) -> list[str]:
    """Return the names of a folder's images, sorted. Not recursive.

    Args:
        folder: The folder to list.
        suffixes: In lower case with the dot; the files may have them in any case. The default has
            every suffix of published data sets, so that `parse_names` can report foreign names.

    Returns:
        Names without hidden files (.DS_Store, ._0001.jpg of macOS), other suffixes and folders; may
        be empty. The data set check counts the excluded files: `metabin.data.readers.unused_files`.

    Raises:
        DatasetError: The folder is missing or cannot be read.
    """
    with scan(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and os.path.splitext(entry.name)[1].lower() in suffixes  # noqa: PTH122 - 130,000 names
            and not entry.is_dir()
        )


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones and __MACOSX.

    Raises:
        DatasetError: The folder is missing or cannot be read.
    """
    with scan(folder) as entries:
        return sorted(entry.name for entry in entries if is_data_folder(entry))


def is_data_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, but neither hidden nor the __MACOSX of an archive."""
    return not entry.name.startswith(".") and entry.name != "__MACOSX" and entry.is_dir()


def parse_names(
    names: Sequence[str], pattern: re.Pattern[str], folder: Path, example: str
) -> list[re.Match[str]]:
    r"""Return the match of every name, in order; a name must match in full.

    Write digits as [0-9] or compile with re.ASCII (\d alone also matches Arabic digits), and
    suffixes as (?i:\.jpg).

    Args:
        names: File names.
        pattern: Pattern of the names.
        folder: Folder of the files, for the message.
        example: A correct name, for the message.

    Raises:
        DatasetError: Some names do not match; says how many, and the first three.
    """
    matches = [pattern.fullmatch(name) for name in names]
    if wrong := [name for name, match in zip(names, matches, strict=True) if match is None]:
        raise wrong_names(wrong, len(names), folder, f"names like {example}")
    return [match for match in matches if match is not None]


def read_folder(folder: Path, directory: Path, naming: Naming) -> list[tuple[str, re.Match[str]]]:
    """Return path (relative to `directory`) and name match of a folder's images, sorted by name.

    Raises:
        DatasetError: The folder is missing, has no image, or has names that do not match.
    """
    names = image_files(folder, naming.suffixes)
    if not names:
        others = describe(other_images(folder))
        but = f" but {others}" if others else ""
        raise DatasetError(
            f"{folder} has no images{but}; expected names like {naming.example}: copy the data "
            "set again"
        )
    stem = relative_path(folder, directory)
    prefix = "" if stem == "." else f"{stem}/"
    matches = parse_names(names, naming.pattern, folder, naming.example)
    return [(f"{prefix}{name}", match) for name, match in zip(names, matches, strict=True)]


def wrong_names(wrong: Sequence[str], num_names: int, folder: Path, expected: str) -> DatasetError:
    """Return the error for images that do not belong: how many, the first three, the expected."""
    return DatasetError(
        f"{folder}: {len(wrong)} of {num_names} images do not belong there: {first_names(wrong)}; "
        f"expected {expected}. Remove them, or copy the data set again"
    )


def first_names(names: Sequence[str]) -> str:
    """Return the first three names as text for a message, with odd characters escaped."""
    more = ", ..." if len(names) > NUM_NAMED else ""
    return ", ".join(ascii(name) for name in names[:NUM_NAMED]) + more


def relative_path(folder: Path, directory: Path, name: str = "") -> str:
    """Return the path of the folder, or of file `name` in it, relative to `directory`, with "/"."""
    return (folder / name).relative_to(directory).as_posix()


def has_matching(folder: Path, naming: Naming) -> bool:
    """Return whether any image of a folder has a name of the data set."""
    return any(naming.pattern.fullmatch(name) for name in image_files(folder, naming.suffixes))


def has_folders(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder has all these folders."""
    return all((folder / name).is_dir() for name in names)


def scan(folder: Path):
    """Return `os.scandir` of a folder.

    Raises:
        DatasetError: The folder is missing or cannot be read.
    """
    try:
        return os.scandir(folder)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise DatasetError(f"{folder} cannot be listed: {error}; copy the data set again") from None
