"""Download of an archive: resumed after an interruption, checked, and complete or absent.

gdown does the transfer, from Google Drive and from any other server. It resumes a partial file, and
it reports what Drive answers instead of a file. This module does the rest: it tries again after a
busy server's 503, starts afresh if a server cannot resume, refuses web pages and files that are too
large, and records a checksum if none is published.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from metabin.data.readers.archive import RECORD, Archive
from metabin.errors import DatasetError
from metabin.files import web_page_title, write_text

PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds before each further attempt without new bytes
TIMEOUT = 30.0  # seconds without an answer
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
BUSY = (408, 429, 500, 502, 503, 504)


def fetch(
    archive: Archive,
    directory: Path,
    on_bytes: Callable[[int, int], None] | None = None,
    *,
    pauses: Sequence[float] = PAUSES,
) -> Path:
    """Download an archive into `directory`, unless it exists; resume an unfinished download.

    If no checksum is published, the first download writes its own to `<file>.sha256`, and later
    downloads must match it. Over plain http, where anybody on the way could replace the archive,
    the checksum must be known before: published, or in that file. This holds for redirects too.

    Args:
        archive: Archive to download.
        directory: Folder to write to.
        on_bytes: Called with the number of new bytes (negative if the download starts afresh) and
            the total, 0 if the server does not report it.
        pauses: Seconds before each further attempt.

    Returns:
        Path of the archive.

    Raises:
        DatasetError: The archive cannot be fetched, is a web page, is too large or has another
            checksum, comes over plain http without a known one, or the directory cannot be written.
            The message says what to do by hand.
    """
    path = directory / archive.file
    if path.exists():
        return path
    record = directory / (archive.file + RECORD)
    _require_authenticity(archive, record, archive.url)
    # Hidden until it is checked. The name of gdown's partial file starts with this name.
    unchecked = directory / f".{archive.file}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _authentic_requests(archive, record):
            _Download(archive, unchecked, on_bytes).run(pauses)
        _check(archive, unchecked)
        unchecked.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error}") from None
    return path


def _require_authenticity(archive: Archive, record: Path, url: str) -> None:
    """Check that a replaced archive would be noticed, by its checksum or by the TLS of an address.

    Args:
        url: Its address, or one to which that redirects.
    """
    address = urlsplit(url)
    is_safe = address.scheme == "https" or address.hostname in THIS_MACHINE
    if not (is_safe or archive.checksum or record.is_file()):
        way = "it comes" if url == archive.url else f"the server redirects to {url}, and it comes"
        raise DatasetError(
            f"{archive.file} is not fetched from {archive.url}: {way} over plain http, and no "
            "checksum is published, so that anybody on the way could replace it. If you know its "
            f"sha256 (from a colleague's {record.name}), write it into {record}; or download the "
            f"file with a web browser and put it unchanged into {record.parent}"
        )


@contextmanager
def _authentic_requests(archive: Archive, record: Path) -> Iterator[None]:
    """Check every request, since gdown follows redirects and has no option against plain http."""
    import requests

    send = requests.Session.send

    def checked(
        self: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        _require_authenticity(archive, record, str(request.url))
        return send(self, request, **kwargs)

    requests.Session.send = checked
    try:
        yield
    finally:
        requests.Session.send = send


class _Download:
    """Attempts to download one file; each resumes where the last one ended."""

    def __init__(
        self, archive: Archive, target: Path, on_bytes: Callable[[int, int], None] | None
    ) -> None:
        self.archive = archive
        self.target = target
        self.on_bytes = on_bytes
        self.num_bytes = 0  # on disk, as last reported by gdown

    def run(self, pauses: Sequence[float]) -> None:
        """Try until the file is complete; give up after all pauses without new bytes."""
        most_bytes = 0
        remaining = list(pauses)
        while reason := self._attempt():
            if self.num_bytes > most_bytes:
                most_bytes = self.num_bytes
                remaining = list(pauses)
            if not remaining:
                _fail(self.archive, self.target.parent, reason)
            time.sleep(remaining.pop(0))

    def _attempt(self) -> str:
        """Run one transfer; return "" after success, else the reason to try again."""
        import gdown
        import requests

        is_resumed = bool(self._partial_files())
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
        except DatasetError:  # raised by _advance
            self._discard()
            raise
        except gdown.FileURLRetrievalError as error:
            _fail(self.archive, self.target.parent, _drive_reason(error))
        except gdown.DownloadError as error:
            if "incomplete" in str(error):
                return "the connection broke off"
            self._discard()  # this server cannot resume, so the partial file is of no use
            return self._attempt() if is_resumed else str(error)
        except requests.RequestException as error:
            if not _is_temporary(error):
                _fail(self.archive, self.target.parent, str(error))
            return str(error) or type(error).__name__
        return ""

    def _advance(self, num_bytes: int, total: int | None) -> None:
        max_bytes = self.archive.max_bytes
        if max(num_bytes, total or 0) > max_bytes:
            _fail(self.archive, self.target.parent, f"it is larger than {max_bytes:,} bytes")
        if self.on_bytes:
            self.on_bytes(num_bytes - self.num_bytes, total or 0)
        self.num_bytes = num_bytes

    def _partial_files(self) -> list[Path]:
        return [
            path
            for path in self.target.parent.iterdir()
            if path.name.startswith(self.target.name) and path.suffix == ".part"
        ]

    def _discard(self) -> None:
        for path in self._partial_files():
            path.unlink()


def _is_temporary(error: Exception) -> bool:
    """Return whether another attempt may succeed: the server is busy, or the connection failed.

    A wrong certificate is not temporary.
    """
    import requests

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in BUSY
    temporary = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, temporary) and not isinstance(error, requests.exceptions.SSLError)


def _drive_reason(error: Exception) -> str:
    """Return Drive's answer without gdown's advice, which is for its own command line."""
    return " ".join(str(error).split()).partition(" You may still be able")[0]


def _check(archive: Archive, file: Path) -> None:
    """Check that a downloaded file is the archive; write its checksum if none is published.

    Raises:
        DatasetError: It is a web page, or its checksum is another one. The file is removed.
    """
    with file.open("rb") as content:
        title = web_page_title(content.read(4096))
    algorithm, _, expected = (archive.checksum or "sha256:").partition(":")
    actual = _digest(file, algorithm)
    record = file.with_name(archive.file + RECORD)
    if not expected and record.is_file():
        expected = record.read_text().partition(" ")[0]
    if title is not None:
        reason = "the server sent a web page" + (f", {title!r}" if title else "")
    elif expected and actual != expected:
        reason = f"the downloaded file has the {algorithm} {actual}, expected {expected}"
        if not archive.checksum:
            reason += f" as in {record} of an earlier download; remove that to accept the new file"
    else:
        if not archive.checksum:
            write_text(record, f"{actual}  {archive.file}\n")
        return
    file.unlink()
    _fail(archive, file.parent, reason)


def _digest(file: Path, algorithm: str) -> str:
    """Return the "md5" or "sha256" of a file in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest()


def _fail(archive: Archive, directory: Path, reason: str) -> NoReturn:
    raise DatasetError(
        f"{archive.file} cannot be fetched from {archive.url}: {reason}. Try again later, or "
        f"download it with a web browser and put it unchanged into {directory}"
    )
