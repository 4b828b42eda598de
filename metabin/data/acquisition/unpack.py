"""Unpacking an archive of which nothing is believed: whole into a new folder, or not at all.

The standard library reads zip and tar; its own `extractall` has no limits, takes a tar that ends early for a whole one,
and makes links. Here only plain files and folders are written, and they are counted while they are.
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

PIECE = 1 << 20  # bytes that are read and written at a time
ZIP = (b"PK\3\4", b"PK\5\6")
PACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
NO_MODE = 0  # of a zip that was not made on Unix
DAMAGES = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)
Contents = Iterator[tuple[str, Iterator[bytes] | None]]


def unpack(
    archive: Path, target: Path, *, max_bytes: int, max_files: int, on_bytes: Callable[[int], None] | None = None
) -> None:
    """Unpack a zip or a tar (plain, gz, bz2 or xz) into a new folder, which appears, complete, at the very end.

    A target that is there already stays as it is.

    Args:
        max_bytes: Of all files together, counted as they are written.
        max_files: Files and folders.
        on_bytes: Told how many bytes of the archive are done with, as they are; their sum is its size.

    Raises:
        DatasetError: The archive is damaged, ends early, is encrypted or is none; it has too much in it, a path out of
            the target, a link, a device or a file twice; the target cannot be written.
    """
    if target.exists():
        return
    unfinished = target.with_name(f".{target.name.removeprefix('.')}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with _damages(archive):
        raw = archive.open("rb")
    try:
        unfinished.mkdir(parents=True)
        _Writer(archive, unfinished, max_bytes, max_files).write(raw, on_bytes)
        unfinished.replace(target)
    except OSError as error:
        raise DatasetError(f"{archive} cannot be unpacked: {target} cannot be written: {error}") from None
    finally:
        raw.close()
        shutil.rmtree(unfinished, ignore_errors=True)


class _Writer:
    """Writes what an archive has into a folder, as far as the limits go."""

    def __init__(self, archive: Path, folder: Path, max_bytes: int, max_files: int) -> None:
        self.archive, self.folder = archive, folder
        self.max_bytes, self.max_files = max_bytes, max_files
        self.num_bytes = self.num_files = 0

    def write(self, raw: IO[bytes], on_bytes: Callable[[int], None] | None) -> None:
        done = 0
        for name, content in _contents(self.archive, raw):
            self._write_member(name, content)
            if on_bytes:
                on_bytes(raw.tell() - done)
                done = raw.tell()
        if not self.num_files:
            raise DatasetError(f"{self.archive} holds nothing; remove it and get it again")
        if on_bytes:
            on_bytes(self.archive.stat().st_size - done)

    def _write_member(self, name: str, content: Iterator[bytes] | None) -> None:
        place = self.folder / _safe(self.archive, name)
        self.num_files += 1
        if self.num_files > self.max_files:
            raise DatasetError(f"{self.archive} holds more than {self.max_files:,} files; that is no data set")
        try:
            if content is None:
                place.mkdir(parents=True, exist_ok=True)
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                for piece in content:
                    self._count(len(piece))
                    file.write(piece)
        except FileExistsError:
            raise _refused(self.archive, name, "is there twice") from None

    def _count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes
        if self.num_bytes > self.max_bytes:
            raise DatasetError(
                f"{self.archive} unpacks to more than {self.max_bytes:,} bytes; if it is what it should be, unpack it "
                "yourself"
            )


def _safe(archive: Path, name: str) -> str:
    """The name of a member, if it stays in the folder on every system."""
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
        raise _refused(archive, name, "leads out of the folder")
    return name


def _contents(archive: Path, raw: IO[bytes]) -> Contents:
    """The members' names and, of files, their content in pieces; to be used up one after another."""
    with _damages(archive):
        start = raw.read(8)
        raw.seek(0)
        yield from _of_zip(archive, raw) if start.startswith(ZIP) else _of_tar(archive, raw, start)


def _of_zip(archive: Path, raw: IO[bytes]) -> Contents:
    with zipfile.ZipFile(raw) as file:
        for info in file.infolist():
            if info.flag_bits & 1:
                raise _refused(archive, info.filename, "is encrypted")
            if stat.S_IFMT(info.external_attr >> 16) not in (NO_MODE, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, info.filename, "is a link or a device")
            if info.is_dir():
                yield info.filename, None
            else:
                with file.open(info) as content:
                    yield info.filename, _pieces(archive, content)


def _of_tar(archive: Path, raw: IO[bytes], start: bytes) -> Contents:
    packer = next((packer for magic, packer in PACKERS.items() if start.startswith(magic)), None)
    stream = _Stream(cast(IO[bytes], packer(raw)) if packer else raw)
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as file:
        while member := file.next():
            cast(Any, file).members.clear()  # which tarfile only ever adds to: a gigabyte for a million images
            if not (member.isreg() or member.isdir()):
                raise _refused(archive, member.name, "is a link or a device")
            content = None if member.isdir() else file.extractfile(member)
            yield member.name, None if content is None else _pieces(archive, content)
    if stream.last != bytes(tarfile.BLOCKSIZE):  # tarfile takes any broken header for the end
        raise EOFError("no end-of-archive mark")
    while stream.read(PIECE):
        pass  # gzip and xz have their checksum behind the content


class _Stream:
    """A tar's bytes: reads no more at once than files need, whatever a header claims, and keeps what came last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.seek, self.tell = stream.seek, stream.tell
        self._stream, self.last = stream, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= PIECE:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self.last = self._stream.read(size)
        return self.last


def _pieces(archive: Path, content: IO[bytes]) -> Iterator[bytes]:
    with _damages(archive):
        while piece := content.read(PIECE):
            yield piece


@contextmanager
def _damages(archive: Path) -> Iterator[None]:
    """Turns what the standard library raises of bad archives into a DatasetError."""
    try:
        yield
    except DAMAGES as error:
        raise DatasetError(
            f"{archive} cannot be unpacked ({type(error).__name__}: {error}): it is damaged, ends early, or is no zip "
            "or tar. Remove it and get it again, or unpack it yourself"
        ) from None


def _refused(archive: Path, name: str, why: str) -> DatasetError:
    return DatasetError(
        f"{archive} is not unpacked: {name[:200]!a} in it {why}. Remove it and get it again, or unpack it yourself"
    )
