"""What every reader needs: find the data set's folder, list its images, parse their names, say what is wrong.

A reader describes what it wants once, as a `Wanted`, and then
    root, layout = find_layout(directory, WANTED, detect)         # the folder itself or one below it
    names = image_files(root / "query")                           # sorted; hidden files and Thumbs.db left out
    matches = parse_names(names, PATTERN, root / "query", "0002_c1s1_000451_03.jpg")
    path = relative_path(root / "query", directory, names[0])     # what ImageRecord.path wants
or, where names are all that there is to read,
    naming = Naming(PATTERN, "0002_c1s1_000451_03.jpg")
    for path, match in read_folder(root / "query", directory, naming): ...
Only names are read. Everything that is not as it should be raises DatasetError.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from metabin.data.readers.archive import RECORD
from metabin.data.readers.unused_files import LITTER, describe, other_images
from metabin.errors import DatasetError
from metabin.images import SUFFIXES

NUM_SHOWN = 3  # wrong names in a message
NUM_LISTED = 8  # entries of a folder in a message
IMAGES = SUFFIXES  # of the user's own images
RELEASED = (".jpg", ".jpeg", ".png", ".bmp")  # of published data sets
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".tbz2", ".txz", ".7z", ".rar")
MAX_DEPTH = 5  # levels below a directory that are searched for the data set
MAX_ENTRIES = 64  # a folder with more entries holds images and wraps no data set: it is not searched
MAX_FOLDERS = 2_000  # folders of a level that are searched, in case the directory is something else
DOWNLOAD = "python -m stages.download"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader's messages say: the data set's `name`, the `contents` of its folder, how to `obtain` it."""

    name: str
    contents: str
    obtain: str


@dataclass(frozen=True, slots=True)
class Naming:
    """How a data set names its images: each name with one of `suffixes` must match `pattern` in full.

    `example` is a name that does.
    """

    pattern: re.Pattern[str]
    example: str
    suffixes: Collection[str] = RELEASED


def find_layout(directory: Path, wanted: Wanted, detect: Callable[[Path], str | None]) -> tuple[Path, str]:
    """Find the data set's folder and its layout: `directory` itself, else a folder up to `MAX_DEPTH` levels below.

    The search goes level by level and ends at the first level that has the data set, because archives and
    copies put folders around it (MSMT17_V2/MSMT17_V2 beside a __MACOSX).

    Args:
        detect: Returns the layout's name for a folder that has it, None for any other folder. It may raise
            DatasetError for a folder that is the data set's but damaged: others are searched, it is not.

    Returns:
        The folder and the layout's name.

    Raises:
        DatasetError: no such folder, a file (say, a zip) in its place, no data set in it, a damaged one only, or
            more than one at the same level.
    """
    _require_folder(directory, wanted)
    if (layout := detect(directory)) is not None:
        return directory, layout
    level, damages = [directory / name for name in subfolders(directory)], []
    for _ in range(MAX_DEPTH):
        candidates, others = [], []
        for folder in level:
            try:
                layout = detect(folder)
            except DatasetError as error:
                damages.append(error)
                continue
            if layout is None:
                others.append(folder)
            else:
                candidates.append((folder, layout))
        if len(candidates) > 1:
            copies = ", ".join(f"{relative_path(root, directory)} ({layout})" for root, layout in candidates)
            raise DatasetError(f"{wanted.name}: {directory} holds more than one copy: {copies}; keep only one there")
        if candidates:
            return candidates[0]
        level = list(islice((inner for folder in others for inner in _wrapped_folders(folder)), MAX_FOLDERS))
    raise damages[0] if damages else missing(directory, wanted)


def image_files(folder: Path, suffixes: Collection[str] = RELEASED) -> list[str]:
    """The names of a folder's images, sorted. Not recursive.

    Args:
        suffixes: In lower case with the dot; a file's own suffix may be in any case. By default every suffix
            that published data sets have, so that `parse_names` can report names that do not belong.

    Returns:
        Names without hidden files (.DS_Store, ._0001.jpg of macOS), other suffixes and folders; maybe none. The
        check of the data set counts what this leaves out: `metabin.data.readers.unused_files`.

    Raises:
        DatasetError: the folder is missing or cannot be read.
    """
    with _scan(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and os.path.splitext(entry.name)[1].lower() in suffixes  # noqa: PTH122 - 130,000 names: no Path for each
            and not entry.is_dir()
        )


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones and the __MACOSX of macOS archives.

    Raises:
        DatasetError: the folder is missing or cannot be read.
    """
    with _scan(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.name != "__MACOSX" and entry.is_dir()
        )


def parse_names(names: Sequence[str], pattern: re.Pattern[str], folder: Path, example: str) -> list[re.Match[str]]:
    r"""The match of every name, in order; a name has to match in full.

    Write digits as [0-9] or compile with re.ASCII (\d alone takes Arabic digits too), and suffixes as (?i:\.jpg).

    Args:
        folder: Where the names are, for the message.
        example: A name as it should be, for the message.

    Raises:
        DatasetError: names that do not match: how many, and the first three.
    """
    matches = [pattern.fullmatch(name) for name in names]
    if wrong := [name for name, match in zip(names, matches, strict=True) if match is None]:
        raise wrong_names(wrong, len(names), folder, f"names like {example}")
    return [match for match in matches if match is not None]


def read_folder(folder: Path, directory: Path, naming: Naming) -> list[tuple[str, re.Match[str]]]:
    """The images of one folder, in the order of their names: the path relative to `directory`, the name's match.

    Raises:
        DatasetError: no folder, no image in it, or names that do not match.
    """
    names = image_files(folder, naming.suffixes)
    if not names:
        others = describe(other_images(folder))
        raise DatasetError(
            f"{folder} has no images{others and f' but {others}'}; wanted names like {naming.example}: "
            "copy the data set again"
        )
    stem = relative_path(folder, directory)
    matches = parse_names(names, naming.pattern, folder, naming.example)
    return [(name if stem == "." else f"{stem}/{name}", match) for name, match in zip(names, matches, strict=True)]


def wrong_names(wrong: Sequence[str], num_names: int, folder: Path, wanted: str) -> DatasetError:
    """The error for image files that do not belong: how many of how many, the first three, and what was wanted."""
    return DatasetError(
        f"{folder}: {len(wrong)} of {num_names} images are not what the data set has there: {shown(wrong)}; "
        f"wanted {wanted}. Take out what does not belong, or copy the data set again"
    )


def shown(names: Sequence[str]) -> str:
    """The first three of some names, for a message; odd characters are escaped."""
    return ", ".join(ascii(name) for name in names[:NUM_SHOWN]) + (", ..." if len(names) > NUM_SHOWN else "")


def relative_path(folder: Path, directory: Path, name: str = "") -> str:
    """The path of the file `name` in `folder`, or of the folder, relative to `directory`, with forward slashes."""
    return (folder / name).relative_to(directory).as_posix()


def has_matching(folder: Path, naming: Naming) -> bool:
    """Whether any image of a folder is named as the data set names them."""
    return any(naming.pattern.fullmatch(name) for name in image_files(folder, naming.suffixes))


def has_folders(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder has all these folders."""
    return all((folder / name).is_dir() for name in names)


def is_empty(folder: Path) -> bool:
    """Return whether a folder has no content: no file or link in it or below, but what file managers leave.

    Raises:
        DatasetError: the folder is missing or cannot be read.
    """
    with _scan(folder) as entries:
        return all(
            is_empty(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else is_litter(entry.name)
            for entry in entries
        )


def is_litter(name: str) -> bool:
    """Return whether file managers leave files of this name: .DS_Store, ._image.jpg, Thumbs.db."""
    return name.lower() in LITTER or name.startswith("._")


def obstacles(directory: Path) -> list[str]:
    """Return the names of what keeps `python -m stages.download` from fetching a data set into a folder, sorted.

    Hidden files, checksums of earlier downloads and folders without content do not; links to folders do.
    """
    with _scan(directory) as scan:
        return sorted(
            entry.name
            for entry in scan
            if not (entry.name.startswith(".") or entry.name.endswith(RECORD) or is_litter(entry.name))
            and not (entry.is_dir(follow_symlinks=False) and is_empty(Path(entry.path)))
        )


def missing(directory: Path, wanted: Wanted) -> DatasetError:
    """Return the error for a folder without the data set: what it holds, what was expected, how to get it."""
    with _scan(directory) as scan:
        entries = sorted(entry.name for entry in scan if not entry.name.startswith("."))
    empty = {name for name in entries[:NUM_LISTED] if (directory / name).is_dir() and is_empty(directory / name)}
    packed = [name for name in entries if name.lower().endswith(ARCHIVES)]
    advice = f"unpack {shown(packed)} there" if packed else f"copy it there. {wanted.obtain}"
    if not packed and DOWNLOAD in wanted.obtain and (names := obstacles(directory)):
        advice += f". It downloads into a folder without files only: move {shown(names)} to another place first"
    content = ", ".join(ascii(name) + " (empty)" * (name in empty) for name in entries[:NUM_LISTED]) or "nothing"
    more = f" and {len(entries) - NUM_LISTED} more" if len(entries) > NUM_LISTED else ""
    return DatasetError(f"{wanted.name}: {directory} holds {content}{more}; wanted {wanted.contents}: {advice}")


def _require_folder(directory: Path, wanted: Wanted) -> None:
    if directory.is_dir():
        return
    if directory.exists():
        raise DatasetError(f"{wanted.name}: {directory} is a file; wanted a folder with {wanted.contents}: unpack it")
    raise DatasetError(
        f"{wanted.name}: no folder {directory}; wanted one with {wanted.contents}: copy it there. {wanted.obtain}"
    )


def _wrapped_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that may wrap a data set, sorted; none if it has over `MAX_ENTRIES`.

    Reads no more entries than that, so that a folder with a million images costs no more than a small one.
    """
    try:
        with _scan(folder) as scan:
            entries = list(islice(scan, MAX_ENTRIES + 1))
    except DatasetError:  # somebody else's folder (lost+found): the data set is not there
        return []
    if len(entries) > MAX_ENTRIES:
        return []
    return sorted(
        folder / entry.name
        for entry in entries
        if not entry.name.startswith(".") and entry.name != "__MACOSX" and entry.is_dir()
    )


def _scan(folder: Path):
    try:
        return os.scandir(folder)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise DatasetError(f"{folder} cannot be listed: {error}; copy the data set again") from None
