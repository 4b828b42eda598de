"""Obtain a published data set: fetch, unpack, extract. Existing files stay as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from metabin.addresses import hide_credentials
from metabin.data.acquisition.fetch import fetch
from metabin.data.acquisition.local_datasets import READERS, WITHDRAWN
from metabin.data.acquisition.unpack import unpack
from metabin.data.readers.archive import RECORD, Archive
from metabin.data.readers.file_listing import IMAGES, first_names, image_files, subfolders
from metabin.data.readers.layout_search import is_empty, obstacles
from metabin.errors import DatasetError

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]
PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_FILES = 4_000_000  # the largest data set has 1.2 million images
# An archive may unpack to MIN_LIMIT bytes, or to MAX_RATIO times its size if that is more.
MIN_LIMIT = 1 << 30
MAX_RATIO = 20
MAX_NESTED = 2  # levels of archives inside an archive


def obtain(name: str, folder: Path, progress: Progress, log: Callable[[str], None]) -> None:
    """Bring a published data set into `<folder>/<name>`, as far as that needs nobody's consent.

    If the data set is absent, an archive in `<folder>/<name>` or beside it, `<folder>/<name>.zip`
    (.tar.gz ...), is unpacked. Without an archive, the reader's own is fetched, if it has one. Raw
    data are extracted to images. Existing images, or files that may belong to the data set, stay as
    they are. Folders without files do not count. A withdrawn data set is never touched.

    Args:
        name: Name of the data set; other names than those of READERS are ignored.
        folder: Folder of all local data sets.
        progress: Called with a title, a total (0 if unknown) and a unit; returns a context whose
            value is called with the number of units done.
        log: Called with lines for the user: licences, checksums.

    Raises:
        DatasetError: The archive cannot be fetched or unpacked, or holds another data set; the
            folder cannot be written.
    """
    if name not in READERS or name in WITHDRAWN:
        return
    reader = import_module(f"metabin.data.readers.{name}")
    directory = folder / name
    is_blocked = directory.is_dir() and obstacles(directory)
    is_fetchable = hasattr(reader, "ARCHIVE") and not is_blocked
    if not _is_present(reader, directory) and (_find_archives(directory) or is_fetchable):
        with _lock(directory):
            if not _is_present(reader, directory):  # another process may have obtained it meanwhile
                _unpack(reader, directory, progress, log)
    root = _raw_root(reader, directory)
    if root is not None:
        with (
            _lock(directory),
            progress(f"extract {name}", reader.NUM_EXTRACTED, "image") as advance,
        ):
            reader.extract(root, root, advance)


def _is_present(reader: Any, directory: Path) -> bool:
    """Return whether there are images, raw data, or folders with files that may hold some."""
    if not directory.is_dir():
        return directory.exists()
    if image_files(directory, IMAGES):
        return True
    if any(not _is_empty(directory / name) for name in subfolders(directory)):
        return True
    with suppress(DatasetError):
        return reader.find_root(directory)[1] == "raw"  # a single file can hold the raw data
    return False


def _is_empty(folder: Path) -> bool:
    return not folder.is_symlink() and is_empty(folder)  # the user made the link on purpose


def _find_archives(directory: Path) -> list[Path]:
    """Return the archives in the folder; without any, the one beside it with the folder's name."""
    inside = sorted(directory.iterdir()) if directory.is_dir() else []
    archives = [path for path in inside if _is_archive(path)]
    if archives:
        return archives
    beside = [directory.with_name(directory.name + suffix) for suffix in PACKED]
    return [path for path in beside if path.is_file()][:1]


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(PACKED) and not path.name.startswith(".") and path.is_file()


def _raw_root(reader: Any, directory: Path) -> Path | None:
    """Return the folder of the raw data if there are no images yet, else None."""
    if hasattr(reader, "extract"):
        with suppress(DatasetError):
            root, layout = reader.find_root(directory)
            return root if layout == "raw" else None
    return None


def _unpack(reader: Any, directory: Path, progress: Progress, log: Callable[[str], None]) -> None:
    """Unpack the archives of a data set into its folder, all of them or none; fetch one if needed.

    An archive of the user stays, a fetched one is removed.
    """
    archives = _find_archives(directory)
    is_fetched = not archives
    if is_fetched:
        archives = [_fetch(reader.ARCHIVE, directory, progress, log)]
    # Readers ignore hidden folders.
    places = {archive: directory / f".{archive.name}.unpacked" for archive in archives}
    try:
        folders = []
        for archive, place in places.items():
            _unpack_archive(archive, place, progress)
            root = _find_root(reader, archive, place, progress)
            folders += _inner_folders(root, several=len(archives) > 1) or [root]
        if len({folder.name for folder in folders}) < len(folders):
            names = first_names([archive.name for archive in archives])
            raise DatasetError(
                f"{reader.EXPECTED.name}: {directory} has {names}, which hold the same data; "
                "remove one of them"
            )
        for folder in folders:  # only now that every archive is unpacked
            _move(folder, directory / folder.name)
    finally:
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
    if is_fetched:
        archives[0].unlink()


def _fetch(
    archive: Archive,
    directory: Path,
    progress: Progress,
    log: Callable[[str], None],
) -> Path:
    address = hide_credentials(archive.url)
    log(f"fetching {archive.file} from {address}; licence: {archive.licence}")
    with ExitStack() as stack:
        advance: Callable[[int], None] | None = None

        def on_bytes(num_new: int, total: int) -> None:
            nonlocal advance
            if advance is None:  # the total is not known before the first bytes
                advance = stack.enter_context(progress(f"fetch {archive.file}", total, "byte"))
            advance(num_new)

        path = fetch(archive, directory, on_bytes)
    if not archive.checksum:
        log(
            f"no checksum of {archive.file} is published; the one of this download is in "
            f"{path}{RECORD}, to compare later ones with"
        )
    return path


def _unpack_archive(archive: Path, place: Path, progress: Progress) -> None:
    shutil.rmtree(place, ignore_errors=True)  # leftover of a killed process
    size = archive.stat().st_size
    with progress(f"unpack {archive.name}", size, "byte") as advance:
        unpack(
            archive,
            place / _stem(archive),
            max_bytes=_limit(size),
            max_files=MAX_FILES,
            on_bytes=advance,
        )


def _find_root(reader: Any, archive: Path, place: Path, progress: Progress) -> Path:
    """Return the data set's folder in `place`, where `archive` is unpacked.

    Unpacks archives inside `place`, up to MAX_NESTED levels, until there is such a folder.
    """
    for depth in range(MAX_NESTED + 1):
        with suppress(DatasetError):
            return reader.find_root(place)[0]
        limit = _limit(archive.stat().st_size)
        if depth == MAX_NESTED or not _unpack_nested(place, limit, progress):
            break
    names = first_names(_visible(place / _stem(archive)))
    raise DatasetError(
        f"{reader.EXPECTED.name}: {archive} holds {names}; expected "
        f"{reader.EXPECTED.contents}: remove the archive, or unpack it yourself into {place.parent}"
    )


def _unpack_nested(place: Path, limit: int, progress: Progress) -> bool:
    """Unpack the archives in the upper levels of `place`, each into a folder with its name.

    Args:
        place: Folder with an unpacked archive.
        limit: Bytes that all inner archives together may unpack to.
        progress: See `obtain`.

    Returns:
        True if there was any.
    """
    paths = [
        path
        for depth in (2, 3, 4)
        for path in place.glob("/".join("*" * depth))
        if _is_archive(path) and "__MACOSX" not in path.parts
    ]
    archives = [path for path in paths if not path.with_name(_stem(path)).exists()]
    for path in sorted(archives):
        with progress(f"unpack {path.name}", path.stat().st_size, "byte") as advance:
            unpack(
                path,
                path.with_name(_stem(path)),
                max_bytes=limit // len(archives),
                max_files=MAX_FILES,
                on_bytes=advance,
            )
        path.unlink()
    return bool(archives)


def _inner_folders(root: Path, *, several: bool) -> list[Path]:
    """Return the folders to move instead of `root`, which belong beside those of other archives.

    Args:
        root: Folder of the data set in one archive.
        several: True if the data set comes in several archives (UnrealPerson in twelve).
    """
    names = subfolders(root)
    if names == _visible(root) and (several or len(names) == 1):
        return [root / name for name in names]
    return []


def _move(folder: Path, target: Path) -> None:
    if target.is_dir() and _is_empty(target):
        shutil.rmtree(target)
    folder.rename(target)


def _limit(size: int) -> int:
    return max(MIN_LIMIT, MAX_RATIO * size)


def _visible(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")


def _stem(archive: Path) -> str:
    name = archive.name
    return next(name[: -len(suffix)] for suffix in PACKED if name.lower().endswith(suffix))


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Keep other processes from the folder meanwhile.

    Raises:
        DatasetError: The folder cannot be written.
    """
    from filelock import FileLock

    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(directory.with_name(f".{directory.name}.lock")):
            yield
    except OSError as error:
        raise DatasetError(f"{directory} cannot be written: {error}") from None
