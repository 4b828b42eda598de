"""Making a copy of a data set where the user has none: fetched, unpacked, extracted. What is there is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.data.copies import READERS, WITHDRAWN
from metabin.data.datasets.archive import Archive
from metabin.data.datasets.listing import IMAGES, image_files, shown, subfolders
from metabin.data.fetch import RECORD, fetch
from metabin.data.unpack import unpack
from metabin.errors import DatasetError

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]
PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_FILES = 4_000_000  # the largest data set has 1.2 million images
LEAST_LIMIT, MAX_RATIO = 1 << 30, 20  # bytes that an archive may unpack to: so many, or so many times its size


def obtain(name: str, folder: Path, progress: Progress, tell: Callable[[str], None]) -> None:
    """See to it that `<folder>/<name>` has a copy of a data set, as far as that needs nobody's consent.

    Without a copy, an archive that lies in `<folder>/<name>` or as `<folder>/<name>.zip` (.tar.gz ...) is unpacked;
    without an archive, the reader's own is fetched, where it has one. Raw data become images. A copy that is there, or
    anything that might be one, is not touched, and a withdrawn data set never is.

    Args:
        folder: Of all copies.
        progress: Given a title, a total (0: not known) and a unit, a context with the function to tell of work done.
        tell: Takes lines for the user: licences, checksums.

    Raises:
        DatasetError: The archive cannot be fetched or unpacked, or is of something else; the folder cannot be written.
    """
    if name not in READERS or name in WITHDRAWN:
        return
    reader, directory = import_module(f"metabin.data.datasets.{name}"), folder / name
    if not _has_copy(reader, directory) and (_packed(directory) or _is_fetchable(reader, directory)):
        with _alone(directory):
            if not _has_copy(reader, directory):  # another process may have made it meanwhile
                _unpack(reader, directory, progress, tell)
    if (root := _raw_root(reader, directory)) is not None:
        with _alone(directory), progress(f"extract {name}", reader.NUM_EXTRACTED, "image") as advance:
            reader.extract(root, root, advance)


def _has_copy(reader: Any, directory: Path) -> bool:
    """Whether there is a copy, or images or folders that might be a part of one."""
    if not directory.is_dir():
        return directory.exists()
    with suppress(DatasetError):
        reader.find_root(directory)
        return True
    return bool(subfolders(directory) or image_files(directory, IMAGES))


def _is_fetchable(reader: Any, directory: Path) -> bool:
    entries = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    return hasattr(reader, "ARCHIVE") and all(entry.startswith(".") or entry.endswith(RECORD) for entry in entries)


def _packed(directory: Path) -> list[Path]:
    """The archives in the folder; without any, the one beside it that has its name."""
    inside = sorted(directory.iterdir()) if directory.is_dir() else []
    beside = [directory.with_name(directory.name + suffix) for suffix in PACKED]
    found = [path for path in inside if path.name.lower().endswith(PACKED) and not path.name.startswith(".")]
    return [path for path in found if path.is_file()] or [path for path in beside if path.is_file()][:1]


def _raw_root(reader: Any, directory: Path) -> Path | None:
    """The folder of the raw data, where these are all that there is."""
    if hasattr(reader, "extract"):
        with suppress(DatasetError):
            root, layout = reader.find_root(directory)
            return root if layout == "raw" else None
    return None


def _unpack(reader: Any, directory: Path, progress: Progress, tell: Callable[[str], None]) -> None:
    archives, fetched = _packed(directory), None
    if not archives:
        fetched = _fetch(reader.ARCHIVE, directory, progress, tell)
        archives = [fetched]
    places = {archive: directory / f".{archive.name}.unpacked" for archive in archives}  # hidden from readers
    try:
        for archive, place in places.items():
            _unpack_one(archive, place, progress)
        found = [_found(reader, archive, place) for archive, place in places.items()]
        if len({folder.name for folder in found}) < len(found):
            both = shown([archive.name for archive in archives])
            raise DatasetError(f"{reader.WANTED.name}: {directory} has {both}, which hold the same; take one away")
        for folder in found:  # of UnrealPerson there are twelve: all or none
            folder.rename(directory / folder.name)
    finally:
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
    if fetched:
        fetched.unlink()


def _fetch(archive: Archive, directory: Path, progress: Progress, tell: Callable[[str], None]) -> Path:
    tell(f"fetching {archive.file} from {archive.url}; licence: {archive.licence}")
    with ExitStack() as stack:
        advance: Callable[[int], None] | None = None

        def on_bytes(num_new: int, total: int) -> None:
            nonlocal advance
            if advance is None:  # the total is known now, and was not before
                advance = stack.enter_context(progress(f"fetch {archive.file}", total, "byte"))
            advance(num_new)

        path = fetch(archive, directory, on_bytes)
    if not archive.checksum:
        tell(f"nobody publishes a checksum of {archive.file}; that of this one is in {path}{RECORD}, for later ones")
    return path


def _unpack_one(archive: Path, place: Path, progress: Progress) -> None:
    shutil.rmtree(place, ignore_errors=True)  # a killed process left it, maybe of another archive of that name
    size = archive.stat().st_size
    with progress(f"unpack {archive.name}", size, "byte") as advance:
        limit = max(LEAST_LIMIT, MAX_RATIO * size)
        unpack(archive, place / _stem(archive), max_bytes=limit, max_files=MAX_FILES, on_bytes=advance)


def _found(reader: Any, archive: Path, place: Path) -> Path:
    """The folder to be moved out of `place` into the one above, whatever folders the archive has around it."""
    inner = place
    while (root := _root(reader, inner)) is None:
        if len(folders := subfolders(inner)) != 1:
            raise DatasetError(
                f"{reader.WANTED.name}: {archive} holds {shown(_visible(place / _stem(archive)))}; wanted "
                f"{reader.WANTED.contents}: take it away, or unpack what you need of it into {place.parent}"
            )
        inner = inner / folders[0]
    found = inner if root == inner else inner / root.relative_to(inner).parts[0]
    if found == root and (folders := subfolders(found)) == _visible(found) and len(folders) == 1:
        return found / folders[0]  # one of the twelve folders of UnrealPerson, whose place is beside the others
    return found


def _visible(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")


def _stem(archive: Path) -> str:
    return next(archive.name[: -len(suffix)] for suffix in PACKED if archive.name.lower().endswith(suffix))


def _root(reader: Any, folder: Path) -> Path | None:
    with suppress(DatasetError):
        return reader.find_root(folder)[0]
    return None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """No other process works on the folder meanwhile; a folder that cannot be written is a DatasetError."""
    from filelock import FileLock

    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(directory.with_name(f".{directory.name}.lock")):
            yield
    except OSError as error:
        raise DatasetError(f"{directory} cannot be written: {error}") from None
