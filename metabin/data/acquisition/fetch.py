"""Fetching an archive: resumed where it broke off, checked, and under its name whole or not at all.

gdown does the transfer, from Google Drive and from any other server: it goes on with a partial file and says what Drive
answers instead of a file. What it does not do is here: to try again after a busy server's 503, to start afresh where a
server cannot resume, to refuse web pages and files that are too large, to remember a checksum that nobody publishes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from metabin.data.readers.archive import RECORD, Archive
from metabin.errors import DatasetError
from metabin.files import web_page_title, write_text

PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds before another attempt; it ends after as many that brought nothing new
TIMEOUT = 30.0  # seconds without an answer
BUSY = (408, 429, 500, 502, 503, 504)


def fetch(
    archive: Archive,
    directory: Path,
    on_bytes: Callable[[int, int], None] | None = None,
    *,
    pauses: Sequence[float] = PAUSES,
) -> Path:
    """Download an archive into `directory`, unless it is there; what a broken or killed download left is gone on with.

    Without a published checksum the first download's is written into `<file>.sha256`, which later ones must match.

    Args:
        on_bytes: Told of how many bytes are new (fewer than none where it starts afresh) and of how many there will be,
            0 where the server does not say.
        pauses: Seconds before each further attempt.

    Returns:
        The archive's path.

    Raises:
        DatasetError: It cannot be fetched, is a web page, too large or has another checksum; the directory cannot be
            written. The message says what to do by hand.
    """
    path = directory / archive.file
    if path.exists():
        return path
    arrived = directory / f".{archive.file}"  # hidden until it is checked; gdown's partial file has this in its name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _Download(archive, arrived, on_bytes).run(pauses)
        _check(archive, arrived)
        arrived.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error}") from None
    return path


class _Download:
    """The attempts to bring one file, which go on where the last one ended."""

    def __init__(self, archive: Archive, target: Path, on_bytes: Callable[[int, int], None] | None) -> None:
        self.archive, self.target, self.on_bytes = archive, target, on_bytes
        self.num_bytes = 0  # on disk, as far as told

    def run(self, pauses: Sequence[float]) -> None:
        furthest, left = 0, list(pauses)
        while reason := self._attempt():
            if self.num_bytes > furthest:
                furthest, left = self.num_bytes, list(pauses)
            if not left:
                _fail(self.archive, self.target.parent, reason)
            time.sleep(left.pop(0))

    def _attempt(self) -> str:
        """One transfer; why another one may do better, "" when the file is here."""
        import gdown
        import requests

        resumed = bool(self._partial())
        try:
            gdown.download(
                self.archive.url,
                str(self.target),
                quiet=True,
                use_cookies=False,  # it would read and write them in the home folder
                resume=True,
                timeout=TIMEOUT,
                progress=self._advance,
            )
        except DatasetError:  # of _advance
            self._discard()
            raise
        except gdown.FileURLRetrievalError as error:
            _fail(self.archive, self.target.parent, _drives_reason(error))
        except gdown.DownloadError as error:
            if "incomplete" not in str(error):  # the partial file is of no use: this server cannot resume it
                self._discard()
                return self._attempt() if resumed else str(error)
            return "the connection broke off"
        except requests.RequestException as error:
            if not _is_passing(error):
                _fail(self.archive, self.target.parent, str(error))
            return str(error) or type(error).__name__
        return ""

    def _advance(self, num_bytes: int, total: int | None) -> None:
        if max(num_bytes, total or 0) > self.archive.max_bytes:
            _fail(self.archive, self.target.parent, f"it is larger than {self.archive.max_bytes:,} bytes")
        if self.on_bytes:
            self.on_bytes(num_bytes - self.num_bytes, total or 0)
        self.num_bytes = num_bytes

    def _partial(self) -> list[Path]:
        found = self.target.parent.iterdir()
        return [path for path in found if path.name.startswith(self.target.name) and path.suffix == ".part"]

    def _discard(self) -> None:
        for path in self._partial():
            path.unlink()


def _is_passing(error: Exception) -> bool:
    """Whether another attempt may do better: the server is busy, or nothing came back; not a wrong certificate."""
    import requests

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in BUSY
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, passing) and not isinstance(error, requests.exceptions.SSLError)


def _drives_reason(error: Exception) -> str:
    """What Drive says, without gdown's advice, which is for its own command line."""
    return " ".join(str(error).split()).partition(" You may still be able")[0]


def _check(archive: Archive, file: Path) -> None:
    """Removes what came and raises DatasetError where it is not the archive; keeps its checksum where none is known."""
    with file.open("rb") as content:
        start = content.read(4096)
    algorithm, _, wanted = (archive.checksum or "sha256:").partition(":")
    found = _digest(file, algorithm)
    record = file.with_name(archive.file + RECORD)
    if not wanted and record.is_file():
        wanted = record.read_text().partition(" ")[0]
    title = web_page_title(start)
    if title is not None:
        reason = "what came is a web page" + (f", {title!r}" if title else "")
    elif wanted and found != wanted:
        source = (
            "" if archive.checksum else f", which {record} has of an earlier download; remove that to take the new one"
        )
        reason = f"what came has the {algorithm} {found}; wanted {wanted}{source}"
    else:
        if not archive.checksum:
            write_text(record, f"{found}  {archive.file}\n")
        return
    file.unlink()
    _fail(archive, file.parent, reason)


def _digest(file: Path, algorithm: str) -> str:
    """The checksum of a file: "md5" or "sha256", in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest()


def _fail(archive: Archive, directory: Path, reason: str) -> NoReturn:
    raise DatasetError(
        f"{archive.file} cannot be fetched from {archive.url}: {reason}. Try again later, or get it with a web browser "
        f"and put it into {directory} as it is"
    )
