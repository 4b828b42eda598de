"""The file from which a data set can be downloaded without a form."""

from __future__ import annotations

from dataclasses import dataclass

RECORD = ".sha256"  # suffix of the file with an archive's checksum, if none is published


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that anybody may download.

    Attributes:
        file: File name on disk. Zip and tar are told apart by the content, not by the name.
        url: Address of the file; on Google Drive, of its page.
        licence: Terms of its owners, in a few words.
        checksum: "md5:..." or "sha256:..." as published; "" if none is published.
        max_bytes: Upper limit of the size; a larger file is another file.
    """

    file: str
    url: str
    licence: str
    checksum: str = ""
    max_bytes: int = 1 << 30
