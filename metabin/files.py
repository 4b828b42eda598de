"""Local paths of the user, atomic writing of files, and the detection of web pages."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!doctype html|<html|<head)", re.IGNORECASE)
TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def resolve_local(path: Path) -> Path:
    """Return the path of a local file or folder, given its path in params.yaml.

    DVC runs experiments of `--temp` and `--queue` in a temporary folder without the files that Git
    ignores, and sets DVC_ROOT to the project's folder. A relative path that does not exist in the
    working directory is looked up there.
    """
    if path.is_absolute() or path.exists():
        return path
    in_project = Path(os.environ.get("DVC_ROOT", ".")) / path
    return in_project if in_project.exists() else path


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically: a process that dies leaves the old file or none, never a part.

    Raises:
        OSError: the file cannot be written; the old one stays. On a full disk, see `disk_full`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power loss could leave the new name with no content
        partial.replace(path)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(path, len(content)) from None
        raise
    finally:
        partial.unlink(missing_ok=True)


def disk_full(path: Path, num_bytes: int, advice: str = "free some") -> OSError:
    """Return the error of a full disk: which file, how much it needs, and how much is free."""
    free = shutil.disk_usage(path.parent).free
    return OSError(
        errno.ENOSPC,
        f"the disk is full: {num_bytes:,} bytes are needed, and {free:,} are free; {advice}",
        str(path),
    )


def reserve_space(descriptor: int, num_bytes: int) -> None:
    """Reserve space on the disk for an open file, where the system can (macOS cannot).

    Writing through mapped memory without space would kill the process with SIGBUS.

    Raises:
        OSError: The disk is full (DISK_FULL).
    """
    reserve = getattr(os, "posix_fallocate", lambda *_: None)
    try:
        reserve(descriptor, 0, num_bytes)
    except OSError as error:
        if error.errno in DISK_FULL:  # else the file system reserves none
            raise


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, content.encode())


def csv_text(table: pd.DataFrame, *, float_format: str | None = "%.6f") -> str:
    """Return a table as CSV without its index, with the same bytes on every system.

    Args:
        table: one row per record.
        float_format: the format of floats; None writes the fewest digits that restore the number.
    """
    return table.to_csv(index=False, float_format=float_format, lineterminator="\n")


def write_csv(path: Path, table: pd.DataFrame, *, float_format: str | None = "%.6f") -> None:
    """Write a table as a CSV file, atomically. See `csv_text`."""
    write_text(path, csv_text(table, float_format=float_format))


def web_page_title(start: bytes) -> str | None:
    """Return the title of a web page, "" if it has none, or None for another kind of file.

    Args:
        start: the first bytes of the file.
    """
    if not PAGE.match(start):
        return None
    title = TITLE.search(start)
    return " ".join(title[1].decode(errors="replace").split()) if title else ""
