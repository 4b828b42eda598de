"""Making a copy of a data set where the user has none: fetched, unpacked, extracted. What is there is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.data.acquisition.fetch import fetch
from metabin.data.acquisition.local_datasets import READERS, WITHDRAWN
from metabin.data.acquisition.unpack import unpack
from metabin.data.readers.archive import RECORD, Archive
from metabin.data.readers.file_listing import IMAGES, image_files, is_empty, obstacles, shown, subfolders
from metabin.errors import DatasetError

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]
PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_FILES = 4_000_000  # the largest data set has 1.2 million images
LEAST_LIMIT, MAX_RATIO = 1 << 30, 20  # bytes that an archive may unpack to: so many, or so many times its size
MAX_NESTED = 2  # archives in an archive in an archive


def obtain(name: str, folder: Path, progress: Progress, tell: Callable[[str], None]) -> None:
    """See to it that `<folder>/<name>` has a copy of a data set, as far as that needs nobody's consent.

    Without a copy, an archive that lies in `<folder>/<name>` or as `<folder>/<name>.zip` (.tar.gz ...) is unpacked;
    without an archive, the reader's own is fetched, where it has one. Raw data become images. A copy that is there, or
    anything that might be one, is not touched, and a withdrawn data set never is. Folders without files are none.

    Args:
        folder: Of all copies.
        progress: Given a title, a total (0: not known) and a unit, a context with the function to tell of work done.
        tell: Takes lines for the user: licences, checksums.

    Raises:
        DatasetError: The archive cannot be fetched or unpacked, or is of something else; the folder cannot be written.
    """
    if name not in READERS or name in WITHDRAWN:
        return
    reader, directory = import_module(f"metabin.data.readers.{name}"), folder / name
    is_fetchable = hasattr(reader, "ARCHIVE") and not (directory.is_dir() and obstacles(directory))
    if not _has_copy(reader, directory) and (_packed(directory) or is_fetchable):
        with _alone(directory):
            if not _has_copy(reader, directory):  # another process may have made it meanwhile
                _unpack(reader, directory, progress, tell)
    if (root := _raw_root(reader, directory)) is not None:
        with _alone(directory), progress(f"extract {name}", reader.NUM_EXTRACTED, "image") as advance:
            reader.extract(root, root, advance)


def _has_copy(reader: Any, directory: Path) -> bool:
    """Return whether there is a copy, or images or folders with files that might be a part of one."""
    if not directory.is_dir():
        return directory.exists()
    if image_files(directory, IMAGES) or any(not _is_empty(directory / name) for name in subfolders(directory)):
        return True
    with suppress(DatasetError):
        return reader.find_root(directory)[1] == "raw"  # one file: a data set's own container
    return False


def _is_empty(folder: Path) -> bool:
    return not folder.is_symlink() and is_empty(folder)  # a link is somebody's intention


def _packed(directory: Path) -> list[Path]:
    """The archives in the folder; without any, the one beside it that has its name."""
    inside = sorted(directory.iterdir()) if directory.is_dir() else []
    beside = [directory.with_name(directory.name + suffix) for suffix in PACKED]
    return [path for path in inside if _is_packed(path)] or [path for path in beside if path.is_file()][:1]


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(PACKED) and not path.name.startswith(".") and path.is_file()


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
        folders = []
        for archive, place in places.items():
            _unpack_one(archive, place, progress)
            root = _root(reader, archive, place, progress)
            folders += _inner_folders(root, several=len(archives) > 1) or [root]
        if len({folder.name for folder in folders}) < len(folders):
            both = shown([archive.name for archive in archives])
            raise DatasetError(f"{reader.WANTED.name}: {directory} has {both}, which hold the same; take one away")
        for folder in folders:  # of UnrealPerson there are twelve: all or none
            _move(folder, directory / folder.name)
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
        unpack(archive, place / _stem(archive), max_bytes=_limit(size), max_files=MAX_FILES, on_bytes=advance)


def _root(reader: Any, archive: Path, place: Path, progress: Progress) -> Path:
    """Return the data set's folder in `place`, where `archive` is unpacked; may unpack archives in it, too."""
    for depth in range(MAX_NESTED + 1):
        with suppress(DatasetError):
            return reader.find_root(place)[0]
        if depth == MAX_NESTED or not _unpack_nested(place, _limit(archive.stat().st_size), progress):
            break
    raise DatasetError(
        f"{reader.WANTED.name}: {archive} holds {shown(_visible(place / _stem(archive)))}; wanted "
        f"{reader.WANTED.contents}: take it away, or unpack what you need of it into {place.parent}"
    )


def _unpack_nested(place: Path, limit: int, progress: Progress) -> bool:
    """Unpack the archives in the upper levels of `place`, each into a folder of its name; return whether any is.

    Args:
        limit: Bytes that all of them together may unpack to.
    """
    files = [path for depth in (2, 3, 4) for path in place.glob("/".join("*" * depth)) if _is_packed(path)]
    archives = [path for path in files if "__MACOSX" not in path.parts and not path.with_name(_stem(path)).exists()]
    for path in sorted(archives):
        with progress(f"unpack {path.name}", path.stat().st_size, "byte") as advance:
            folder = path.with_name(_stem(path))
            unpack(path, folder, max_bytes=limit // len(archives), max_files=MAX_FILES, on_bytes=advance)
        path.unlink()
    return bool(archives)


def _inner_folders(root: Path, *, several: bool) -> list[Path]:
    """Return the folders to move instead of `root`, because they belong beside those of other archives.

    Args:
        several: The data set comes in several archives (UnrealPerson in twelve); `root` is from one of them.
    """
    names = subfolders(root)
    return [root / name for name in names] if names == _visible(root) and (several or len(names) == 1) else []


def _move(folder: Path, target: Path) -> None:
    if target.is_dir() and _is_empty(target):
        shutil.rmtree(target)
    folder.rename(target)


def _limit(size: int) -> int:
    return max(LEAST_LIMIT, MAX_RATIO * size)


def _visible(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")


def _stem(archive: Path) -> str:
    return next(archive.name[: -len(suffix)] for suffix in PACKED if archive.name.lower().endswith(suffix))


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
