"""What a reader says of the file in which its data set is to be had without a form."""

from __future__ import annotations

from dataclasses import dataclass

RECORD = ".sha256"  # behind an archive's name: the file with its checksum, where none is published


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that anybody may fetch.

    Attributes:
        file: What it is called on disk; zip or tar is told by its content, not by its name.
        url: Of the file; of one on Google Drive, its page.
        licence: What its owners allow, in a few words.
        checksum: "md5:..." or "sha256:..." as published; "" where none is.
        max_bytes: More than that is not the file.
    """

    file: str
    url: str
    licence: str
    checksum: str = ""
    max_bytes: int = 1 << 30
