"""Unpacking of an untrusted archive: all of it into a new folder, or nothing.

The standard library reads zip and tar, but its `extractall` has no limits, accepts a truncated tar
and makes links. Here only plain files and folders are written, and counted while they are written.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from metabin.errors import DatasetError

CHUNK = 1 << 20  # bytes that are read and written at a time
ZIP = (b"PK\3\4", b"PK\5\6")  # first bytes: of a zip, of an empty one
MAX_PADDING = 1 << 20  # bytes behind the end of a tar; usual are up to 10,240
# A gzip stream has no longer run of zeros: a stored block has 65,535 bytes and a header of others.
MAX_ZEROS = 1 << 17
NO_MODE = 0  # file type in a zip that was not made on Unix
DAMAGE = (  # errors that the standard library raises for damaged archives
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)
Members = Iterator[tuple[str, Iterator[bytes] | None]]  # name, and content in chunks (None: folder)


def unpack(
    archive: Path,
    target: Path,
    *,
    max_bytes: int,
    max_files: int,
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Unpack a zip or a tar (plain, gz, bz2 or xz) into a new folder.

    The folder appears at the very end, complete. If it exists already, nothing is done.

    Args:
        archive: File to unpack.
        target: Folder to write.
        max_bytes: Limit for all files together, counted while they are written.
        max_files: Limit for files and folders.
        on_bytes: Called with the number of bytes of the archive that were processed since the last
            call; the sum is the archive's size.

    Raises:
        DatasetError: The archive is damaged, truncated, encrypted or no archive; it exceeds a
            limit or holds a path out of the target, a link, a device or a file twice; the target
            cannot be written.
    """
    if target.exists():
        return
    unfinished = target.with_name(f".{target.name.removeprefix('.')}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with _damage_as_dataset_error(archive):
        raw = archive.open("rb")
    try:
        unfinished.mkdir(parents=True)
        _Writer(archive, unfinished, max_bytes, max_files).write(raw, on_bytes)
        unfinished.replace(target)
    except OSError as error:
        raise DatasetError(
            f"{archive} cannot be unpacked: {target} cannot be written: {error}"
        ) from None
    finally:
        raw.close()
        shutil.rmtree(unfinished, ignore_errors=True)


class _Writer:
    """Writes the members of an archive into a folder, within the limits."""

    def __init__(self, archive: Path, folder: Path, max_bytes: int, max_files: int) -> None:
        self.archive = archive
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_files = max_files
        self.num_bytes = 0
        self.num_files = 0

    def write(self, raw: IO[bytes], on_bytes: Callable[[int], None] | None) -> None:
        position = 0
        for name, content in _members(self.archive, raw):
            self._write_member(name, content)
            if on_bytes:
                on_bytes(raw.tell() - position)
                position = raw.tell()
        if not self.num_files:
            raise DatasetError(f"{self.archive} is empty; remove it and get it again")
        if on_bytes:
            on_bytes(self.archive.stat().st_size - position)

    def _write_member(self, name: str, content: Iterator[bytes] | None) -> None:
        path = self.folder / _safe_name(self.archive, name)
        self.num_files += 1
        if self.num_files > self.max_files:
            raise DatasetError(
                f"{self.archive} holds more than {self.max_files:,} files; that is no data set"
            )
        try:
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                for chunk in content:
                    self._count(len(chunk))
                    file.write(chunk)
        except FileExistsError:
            raise _refusal(self.archive, name, "appears twice") from None

    def _count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes
        if self.num_bytes > self.max_bytes:
            raise DatasetError(
                f"{self.archive} unpacks to more than {self.max_bytes:,} bytes; if it is the right "
                "archive, unpack it yourself"
            )


def _safe_name(archive: Path, name: str) -> str:
    """Return the name of a member.

    Raises:
        DatasetError: On some system the name leads out of the folder.
    """
    is_absolute = name.startswith("/") or re.match("[A-Za-z]:", name)
    if is_absolute or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise _refusal(archive, name, "leads out of the folder")
    return name


def _members(archive: Path, raw: IO[bytes]) -> Members:
    """Yield the name and the content of every member; each must be used up before the next."""
    with _damage_as_dataset_error(archive):
        start = raw.read(8)
        raw.seek(0)
        if start.startswith(ZIP):
            yield from _zip_members(archive, raw)
        else:
            yield from _tar_members(archive, raw, start)


def _zip_members(archive: Path, raw: IO[bytes]) -> Members:
    with zipfile.ZipFile(raw) as file:
        for info in file.infolist():
            if info.flag_bits & 1:
                raise _refusal(archive, info.filename, "is encrypted")
            file_type = stat.S_IFMT(info.external_attr >> 16)
            if file_type not in (NO_MODE, stat.S_IFREG, stat.S_IFDIR):
                raise _refusal(archive, info.filename, "is a link or a device")
            if info.is_dir():
                yield info.filename, None
            else:
                with file.open(info) as content:
                    yield info.filename, _chunks(archive, content)


def _tar_members(archive: Path, raw: IO[bytes], start: bytes) -> Members:
    packer = next((packer for magic, packer in PACKERS.items() if start.startswith(magic)), None)
    stream = _Stream(cast(IO[bytes], packer(raw)) if packer else raw)
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as file:
        while member := file.next():
            # tarfile only ever appends to this list: a gigabyte for a million images.
            cast(Any, file).members.clear()
            if not (member.isreg() or member.isdir()):
                raise _refusal(archive, member.name, "is a link or a device")
            content = None if member.isdir() else file.extractfile(member)
            yield member.name, None if content is None else _chunks(archive, content)
    # tarfile takes any broken header for the end. The true end is a block of zeros.
    if stream.last_read != bytes(tarfile.BLOCKSIZE):
        raise EOFError("no end-of-archive mark")
    # gzip and xz check their checksum, which follows the content.
    if packer and len(stream.read(MAX_PADDING)) == MAX_PADDING:
        raise tarfile.ReadError(f"more than {MAX_PADDING:,} bytes behind its end")


def _open_gzip(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(cast(IO[bytes], _WithoutPadding(raw))))


class _WithoutPadding:
    """Bytes of a file up to a long run of zeros, which Python's gzip would skip one by one."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._num_zeros = 0
        self.tell = raw.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        self._num_zeros = 0
        return self._raw.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        content = self._raw.read(size)
        self._num_zeros = 0 if content.strip(b"\0") else self._num_zeros + len(content)
        return content if self._num_zeros <= MAX_ZEROS else b""


PACKERS = {b"\x1f\x8b": _open_gzip, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}  # by first bytes


class _Stream:
    """Bytes of a tar. Refuses the huge reads that a forged header asks for, and keeps the last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell
        self.last_read = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self.last_read = self._stream.read(size)
        return self.last_read


def _chunks(archive: Path, content: IO[bytes]) -> Iterator[bytes]:
    with _damage_as_dataset_error(archive):
        while chunk := content.read(CHUNK):
            yield chunk


@contextmanager
def _damage_as_dataset_error(archive: Path) -> Iterator[None]:
    """Turn the errors of the standard library for damaged archives into a DatasetError."""
    try:
        yield
    except DAMAGE as error:
        raise DatasetError(
            f"{archive} cannot be unpacked ({type(error).__name__}: {error}): it is damaged, ends "
            "early, or is no zip or tar. Remove it and get it again, or unpack it yourself"
        ) from None


def _refusal(archive: Path, name: str, reason: str) -> DatasetError:
    return DatasetError(
        f"{archive} is not unpacked: {name[:200]!a} in it {reason}. Remove it and get it again, "
        "or unpack it yourself"
    )
