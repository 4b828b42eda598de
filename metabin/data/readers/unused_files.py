"""Files beside a data set's images that are not among them, counted by kind and reason."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from metabin.images import SUFFIXES, UNREADABLE_SUFFIXES, is_image

LITTER = (".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini")  # what file managers write, in lower case
PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")  # others, say of names with a time in them, share one kind
UNLISTED = "images (junk, or not listed for this data set)"
NO_IMAGES = "(no images)"
NESTED = "images in folders below the images (not read)"


def left_out(directory: Path, paths: Collection[str]) -> dict[str, int]:
    """Count the files beside a data set's images that are not among them.

    Covers the folders that hold images of the data set, and images in further folders below these; other folders
    directly in `directory` are not searched. Hidden files and those that file managers write are not counted.

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
    return dict((+counts).most_common())


def other_images(folder: Path) -> dict[str, int]:
    """Count what else may be an image, by kind, in a folder without an image of the data set."""
    counts = Counter(_kinds(folder, (), ())).most_common()
    return {kind: number for kind, number in counts if not kind.endswith(NO_IMAGES)}


def describe(counts: Mapping[str, int]) -> str:
    """Return counts as text: "12 .heic files (...), 3 .txt files (no images)"; "" where there are none."""
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())


def _kinds(folder: Path, names: Collection[str], used: Collection[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in names and not _is_litter(entry.name) and not entry.is_dir():
                yield _kind(Path(entry.path), used)


def _kind(path: Path, used: Collection[str]) -> str:
    """Return what a file is, and why it is not among the images, whose suffixes are `used`."""
    suffix = _suffix(path.name)
    if suffix in SUFFIXES:
        if not used:
            return f"{suffix} images"
        others = ", ".join(sorted(used))
        return UNLISTED if suffix in used else f"{suffix} images (those of the data set are {others})"
    plain = f"{suffix} files" if PLAIN_SUFFIX.fullmatch(suffix) else "files without a usual suffix"
    if suffix in UNREADABLE_SUFFIXES:
        return f"{plain} (not readable: save them as JPEG or PNG)"
    return f"{plain} {'(images: rename them to the suffix of their format)' if is_image(path) else NO_IMAGES}"


def _num_nested(directory: Path, folder: str, names: Collection[str]) -> int:
    """Return the number of images below a folder, without folders that hold images of the data set."""
    number, top, suffixes = 0, directory / folder, (*SUFFIXES, *UNREADABLE_SUFFIXES)
    for place, folders, files in os.walk(top):
        relative = Path(place).relative_to(directory).as_posix()
        folders[:] = [name for name in folders if f"{relative}/{name}" not in names and not _is_litter(name)]
        if Path(place) != top:
            number += sum(not _is_litter(name) and _suffix(name) in suffixes for name in files)
    return number


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX" or name.lower() in LITTER


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - 130,000 names: no Path for each
