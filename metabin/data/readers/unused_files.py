"""Count the files beside a data set's images that are not used, by kind and reason."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from metabin.images import SUFFIXES, UNREADABLE_SUFFIXES, is_image

# Files of file managers, in lower case.
LITTER = (".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini")
# Suffixes that are a kind of their own; the others (say, a time in the name) share one kind.
PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
UNLISTED = "images (junk, or not listed for this data set)"
NO_IMAGES = "(no images)"
NESTED = "images in folders below the images (not read)"


def count_unused(directory: Path, paths: Collection[str]) -> dict[str, int]:
    """Count the files beside a data set's images that are not used.

    Covers the folders that hold images of the data set, and images in further folders below these;
    other folders directly in `directory` are not searched. Hidden files and those of file managers
    are not counted.

    Args:
        directory: Folder that `paths` are relative to.
        paths: The data set's images, with forward slashes.

    Returns:
        Kind of file and reason -> number, the largest number first.
    """
    names: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, set()).add(name)
    used = {_suffix(path) for path in paths}
    counts: Counter[str] = Counter()
    for folder in sorted(names):
        counts.update(_kinds(directory / folder, names[folder], used))
        if folder:
            counts[NESTED] += _num_nested(directory, folder, names)
    return dict((+counts).most_common())  # + drops counts of 0


def other_images(folder: Path) -> dict[str, int]:
    """Count possible images by kind, in a folder without an image of the data set."""
    counts = Counter(_kinds(folder, (), ())).most_common()
    return {kind: number for kind, number in counts if not kind.endswith(NO_IMAGES)}


def describe(counts: Mapping[str, int]) -> str:
    """Return counts as text: "12 .heic files (...), 3 .txt files (no images)"; "" if empty."""
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())


def _kinds(folder: Path, names: Collection[str], used: Collection[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in names and not _is_litter(entry.name) and not entry.is_dir():
                yield _kind(Path(entry.path), used)


def _kind(path: Path, used: Collection[str]) -> str:
    """Return the kind of a file and why it is not among the images, whose suffixes are `used`."""
    suffix = _suffix(path.name)
    if suffix in SUFFIXES:
        if not used:
            return f"{suffix} images"
        if suffix in used:
            return UNLISTED
        return f"{suffix} images (those of the data set are {', '.join(sorted(used))})"
    is_plain = PLAIN_SUFFIX.fullmatch(suffix)
    plain = f"{suffix} files" if is_plain else "files without a usual suffix"
    if suffix in UNREADABLE_SUFFIXES:
        return f"{plain} (not readable: save them as JPEG or PNG)"
    if is_image(path):
        return f"{plain} (images: rename them to the suffix of their format)"
    return f"{plain} {NO_IMAGES}"


def _num_nested(directory: Path, folder: str, names: Collection[str]) -> int:
    """Return the number of images below a folder, without folders that hold used images."""
    number = 0
    top = directory / folder
    suffixes = (*SUFFIXES, *UNREADABLE_SUFFIXES)
    for place, folders, files in os.walk(top):
        relative = Path(place).relative_to(directory).as_posix()
        folders[:] = [  # in place: os.walk descends into these only
            name for name in folders if f"{relative}/{name}" not in names and not _is_litter(name)
        ]
        if Path(place) != top:
            number += sum(not _is_litter(name) and _suffix(name) in suffixes for name in files)
    return number


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX" or name.lower() in LITTER


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - 130,000 names: no Path for each
