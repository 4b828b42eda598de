"""Search a directory for a data set's root and its layout.

A reader describes its data set once, as an `Expected`, and calls
    root, layout = find_layout(directory, EXPECTED, detect)
where `detect` returns the layout of a folder, or None. Failures say what the directory holds, what
was expected, and how to obtain the data set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from metabin.data.readers.archive import RECORD
from metabin.data.readers.file_listing import (
    first_names,
    is_data_folder,
    relative_path,
    scan,
    subfolders,
)
from metabin.data.readers.unused_files import LITTER
from metabin.errors import DatasetError

NUM_LISTED = 8  # entries of a folder in a message
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".tbz2", ".txz", ".7z", ".rar")
MAX_DEPTH = 5  # levels below a directory that are searched for the data set
MAX_ENTRIES = 64  # a folder with more entries holds images, not a data set: it is not searched
MAX_FOLDERS = 2_000  # folders of a level that are searched
DOWNLOAD = "python -m stages.download"


@dataclass(frozen=True, slots=True)
class Expected:
    """Texts of a reader's messages.

    Attributes:
        name: Name of the data set.
        contents: Contents of its root.
        obtain: How to obtain it.
    """

    name: str
    contents: str
    obtain: str


def find_layout(
    directory: Path, expected: Expected, detect: Callable[[Path], str | None]
) -> tuple[Path, str]:
    """Find the data set's root and its layout: `directory`, else a folder in the levels below.

    The search goes level by level, up to `MAX_DEPTH`, and ends at the first level that has the data
    set, because archives and copies put folders around it (MSMT17_V2/MSMT17_V2 beside a __MACOSX).

    Args:
        directory: Folder where the search begins.
        expected: Texts of the messages.
        detect: Returns the layout's name for a folder that has it, None for any other folder. It
            may raise DatasetError for a damaged root: others are searched, this one is not.

    Returns:
        The root and the layout's name.

    Raises:
        DatasetError: The directory is missing, is a file (say, a zip), or has no data set, only a
            damaged one, or more than one at the same level.
    """
    _require_folder(directory, expected)
    if (layout := detect(directory)) is not None:
        return directory, layout
    level = [directory / name for name in subfolders(directory)]
    damages: list[DatasetError] = []
    for _ in range(MAX_DEPTH):
        roots, others = _detect_all(level, detect, damages)
        if len(roots) > 1:
            names = [f"{relative_path(root, directory)} ({layout})" for root, layout in roots]
            copies = ", ".join(names)
            raise DatasetError(
                f"{expected.name}: {directory} holds more than one copy: {copies}; keep only one"
            )
        if roots:
            return roots[0]
        inner = (folder for other in others for folder in _wrapped_folders(other))
        level = list(islice(inner, MAX_FOLDERS))
    raise damages[0] if damages else missing(directory, expected)


def _detect_all(
    folders: Iterable[Path],
    detect: Callable[[Path], str | None],
    damages: list[DatasetError],
) -> tuple[list[tuple[Path, str]], list[Path]]:
    """Return the roots with their layouts, and the other folders; add errors to `damages`."""
    roots: list[tuple[Path, str]] = []
    others: list[Path] = []
    for folder in folders:
        try:
            layout = detect(folder)
        except DatasetError as error:
            damages.append(error)
            continue
        if layout is None:
            others.append(folder)
        else:
            roots.append((folder, layout))
    return roots, others


def is_empty(folder: Path) -> bool:
    """Return whether a folder has no content: no file or link in it or below, except litter.

    Raises:
        DatasetError: The folder is missing or cannot be read.
    """
    with scan(folder) as entries:
        return all(
            is_empty(Path(entry.path))
            if entry.is_dir(follow_symlinks=False)
            else is_litter(entry.name)
            for entry in entries
        )


def is_litter(name: str) -> bool:
    """Return whether file managers write files of this name: .DS_Store, ._image.jpg, Thumbs.db."""
    return name.lower() in LITTER or name.startswith("._")


def obstacles(directory: Path) -> list[str]:
    """Return the names that keep `python -m stages.download` from using a folder, sorted.

    Hidden files, checksums of earlier downloads and folders without content are no obstacles; links
    to folders are.
    """
    with scan(directory) as entries:
        return sorted(entry.name for entry in entries if _is_obstacle(entry))


def _is_obstacle(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    if name.startswith(".") or name.endswith(RECORD) or is_litter(name):
        return False
    return not (entry.is_dir(follow_symlinks=False) and is_empty(Path(entry.path)))


def missing(directory: Path, expected: Expected) -> DatasetError:
    """Return the error for a folder without the data set: its content, the expected, the remedy."""
    with scan(directory) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return DatasetError(
        f"{expected.name}: {directory} holds {_content(directory, names)}; "
        f"expected {expected.contents}: {_advice(directory, names, expected)}"
    )


def _content(directory: Path, names: list[str]) -> str:
    """Return the first entries of a folder as text, with empty folders marked."""
    texts = []
    for name in names[:NUM_LISTED]:
        path = directory / name
        texts.append(f"{ascii(name)} (empty)" if path.is_dir() and is_empty(path) else ascii(name))
    more = f" and {len(names) - NUM_LISTED} more" if len(names) > NUM_LISTED else ""
    return (", ".join(texts) or "nothing") + more


def _advice(directory: Path, names: list[str], expected: Expected) -> str:
    if packed := [name for name in names if name.lower().endswith(ARCHIVES)]:
        return f"unpack {first_names(packed)} there"
    advice = f"copy it there. {expected.obtain}"
    if DOWNLOAD in expected.obtain and (files := obstacles(directory)):
        advice += (
            ". It downloads only into a folder without files: first move "
            f"{first_names(files)} to another place"
        )
    return advice


def _require_folder(directory: Path, expected: Expected) -> None:
    if directory.is_dir():
        return
    if directory.exists():
        raise DatasetError(
            f"{expected.name}: {directory} is a file; expected a folder with {expected.contents}: "
            "unpack it"
        )
    raise DatasetError(
        f"{expected.name}: no folder {directory}; expected one with {expected.contents}: copy it "
        f"there. {expected.obtain}"
    )


def _wrapped_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that may wrap a data set, sorted.

    Returns none if the folder has over `MAX_ENTRIES` entries, and reads no more entries than that:
    a folder with a million images costs no more than a small one.
    """
    try:
        with scan(folder) as entries:
            first = list(islice(entries, MAX_ENTRIES + 1))
    except DatasetError:  # a system folder (lost+found) without permission: no data set there
        return []
    if len(first) > MAX_ENTRIES:
        return []
    return sorted(folder / entry.name for entry in first if is_data_folder(entry))
