"""Reading of weights files from other projects, without running code of the file.

Many training checkpoints hold numpy values beside the tensors (deep-person-reid writes its rank-1
score as one). Nothing here needs them, so a placeholder replaces them and no function of numpy is
called. Objects other than tensors, plain values and numpy values are refused.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file

from metabin.errors import CheckpointError
from metabin.files import web_page_title

EXPECTED = "expected are tensors by name in a .safetensors file or in one that torch.save wrote"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
FORMATS = {
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy array",
    b"%PDF": "a PDF document",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
}
TAR = slice(257, 262), b"ustar"
# at the start of files that torch.save wrote before its files were zip archives
MAGIC_NUMBER = b"l\xfc\x9cF\xf9 j\xa8P\x19."
REFUSED = re.compile(r"GLOBAL (\S+) was not an allowed global|load unsupported GLOBAL (\S+)")


class NumpyValue:
    """Placeholder of a numpy scalar, array or type; it holds nothing."""

    NAMES = (
        "numpy.dtype",
        "numpy.ndarray",
        *(
            f"numpy.{core}.multiarray.{name}"
            for core in ("core", "_core")
            for name in ("scalar", "_reconstruct")
        ),
    )

    def __new__(cls, *_: object) -> NumpyValue:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_weights(path: Path) -> Any:
    """Return the content of a file of safetensors or of torch.save, on the CPU.

    The file's format is recognised by its content; its name does not matter.

    Raises:
        CheckpointError: the file cannot be read, is of another kind, is damaged, or holds an object
            that could run code.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    is_safetensors = _is_safetensors(path, head)
    if not is_safetensors and (kind := _other_kind(path, head)):
        raise CheckpointError(f"{path} {kind}; {EXPECTED}")
    try:
        if is_safetensors:
            return load_file(path)
        allowed: list[Any] = [(NumpyValue, name) for name in NumpyValue.NAMES]
        with path.open("rb") as file, torch.serialization.safe_globals(allowed):
            return torch.load(file, map_location="cpu", weights_only=True)
    # Each reader raises its own kinds. torch's message is not quoted: it advises to read unsafely.
    except Exception as error:
        if isinstance(error, UnpicklingError):
            refused = REFUSED.search(str(error))
            name = refused[1] or refused[2] if refused else "an object"
            raise CheckpointError(
                f"{path} holds {name}, which is not read, since it could run code; {EXPECTED}. "
                "Where the file was made, save only the weights: "
                "torch.save(model.state_dict(), path)"
            ) from None
        raise CheckpointError(
            f"{path} is damaged or incomplete ({type(error).__name__}); "
            f"download it again: {EXPECTED}"
        ) from None


def _other_kind(path: Path, head: bytes) -> str | None:
    """Return the kind of a file without weights, as a predicate; None if it may hold weights."""
    if not head:
        return "is empty; download it again"
    if head.startswith(LFS_POINTER):
        return (
            "is a git-LFS pointer instead of the file; "
            "run `git lfs pull` in its repository or download the file"
        )
    if (title := web_page_title(head)) is not None:
        name = f" ({title!r})" if title else ""
        return f"is a web page{name} that was saved instead of the file; download the file itself"
    if head.startswith(b"PK"):
        return _other_archive(path)
    if known := next((name for magic, name in FORMATS.items() if head.startswith(magic)), None):
        return f"is {known}"
    if head[TAR[0]] == TAR[1]:
        return "is a tar archive"
    if _is_text(head):
        return f"is text that begins with {_line(head)!r}"
    if MAGIC_NUMBER in head[:32]:
        return None
    return (
        "is a pickle that torch.save did not write"
        if head.startswith(b"\x80")
        else "is of no known kind"
    )


def _other_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "is an incomplete zip archive; download or copy it again"
    ends = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in ends:
        return (
            "is a TorchScript program; "
            "save only the weights of its model: torch.save(model.state_dict(), path)"
        )
    if "data.pkl" in ends:
        return None
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"is a zip archive of {listed or 'nothing'}; unpack it and name the file of weights in it"
    )


def _is_safetensors(path: Path, head: bytes) -> bool:
    """Return whether a file begins with the length of a JSON header and with that header.

    The length has 8 bytes, little endian.
    """
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size - 8


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # The end of `head` may cut a character of up to 4 bytes in two. Other errors are no text.
        text = head[: error.start].decode() if error.start > len(head) - 4 else "\0"
    return all(character.isprintable() or character.isspace() for character in text)


def _line(head: bytes) -> str:
    return head.decode(errors="replace").strip().partition("\n")[0][:60]
