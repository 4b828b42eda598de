"""Photographs in the page: small copies as data URIs, and strips of samples as PNG."""

import base64
import io
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from metabin.errors import DatasetError
from metabin.files import resolve_local
from metabin.images import read_image

HEIGHT = 128  # pixels; shown at half of that or less, so still sharp on a dense screen
MAX_WIDTH = 128
WEBP_QUALITY = 72
GAP = 2


class Thumbnails:
    """Small copies of images, each read once.

    Args:
        root: what relative paths are relative to.
        folders: of local data sets, as params.yaml names them; they may be absolute, or begin with "..".

    Raises (on use):
        ValueError: a path leads out of the root and of the folders.
        DatasetError: there is no such image.
    """

    def __init__(self, root: Path, folders: Collection[Path] = ()) -> None:
        self._root = root
        self._folders = [PurePosixPath(folder.as_posix()) for folder in folders]
        self._uris: dict[str, str] = {}

    def uri(self, path: str) -> str:
        """The image as a `data:image/webp` URI."""
        if path not in self._uris:
            buffer = io.BytesIO()
            self.image(path).save(buffer, format="WEBP", quality=WEBP_QUALITY, method=4)
            self._uris[path] = data_uri(buffer.getvalue(), "webp")
        return self._uris[path]

    def image(self, path: str) -> Image.Image:
        """The image in RGB, no larger than HEIGHT by MAX_WIDTH."""
        image_path = PurePosixPath(path)
        folder = next((folder for folder in self._folders if image_path.is_relative_to(folder)), PurePosixPath())
        inner = image_path.relative_to(folder) if image_path.is_relative_to(folder) else image_path
        if inner.is_absolute() or ".." in inner.parts:
            raise ValueError(f"image path {path!r} leads out of the project and of the folders of local data sets")
        file = resolve_local(self._root / path)
        if not file.is_file():
            raise DatasetError(f"{file}, which the report shows, is not there; put it back, or run `dvc repro` again")
        image = read_image(file)
        image.thumbnail((MAX_WIDTH, HEIGHT))
        return image

    def strip(self, paths: Sequence[str]) -> bytes:
        """The images side by side as a PNG."""
        images = [self.image(path) for path in paths]
        width = sum(image.width for image in images) + GAP * max(0, len(images) - 1)
        sheet = Image.new("RGB", (max(1, width), HEIGHT), "white")
        left = 0
        for image in images:
            sheet.paste(image, (left, 0))
            left += image.width + GAP
        buffer = io.BytesIO()
        sheet.save(buffer, format="PNG")
        return buffer.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Bytes of an image as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header."""
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
