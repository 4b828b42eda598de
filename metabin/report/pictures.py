"""Photographs in the page: small copies as data URIs, and strips of samples as PNG."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from metabin.errors import DatasetError
from metabin.images import read_image

HEIGHT = 128  # pixels; shown at half of that or less, so still sharp on a dense screen
MAX_WIDTH = 128
WEBP_QUALITY = 72
GAP = 2


class Thumbnails:
    """Small copies of the images under a folder, each read once.

    Raises (on use):
        ValueError: a path leaves the folder.
        DatasetError: there is no such image.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._uris: dict[str, str] = {}

    def uri(self, relative: str) -> str:
        """The image as a `data:image/webp` URI."""
        if relative not in self._uris:
            buffer = io.BytesIO()
            self.image(relative).save(buffer, format="WEBP", quality=WEBP_QUALITY, method=4)
            self._uris[relative] = data_uri(buffer.getvalue(), "webp")
        return self._uris[relative]

    def image(self, relative: str) -> Image.Image:
        """The image in RGB, no larger than HEIGHT by MAX_WIDTH."""
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"image path {relative!r} must be relative to the image folder and stay inside it")
        path = self._root / relative
        if not path.is_file():
            raise DatasetError(
                f"no image {relative!r} under {self._root}; the report shows it: fetch the data again or set image_root"
            )
        image = read_image(path)
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
