"""Images of the data sets: thumbnails as data URIs, and strips of samples as PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from metabin.errors import DatasetError
from metabin.files import resolve_local
from metabin.images import read_image

HEIGHT = 128  # pixels; displayed at half of that or less, so sharp on a high-density screen
MAX_WIDTH = 128
WEBP_QUALITY = 72
GAP = 2


class Thumbnails:
    """Small versions of images; every image is read once.

    Args:
        root: folder to which paths are relative.
        folders: of local data sets, as in params.yaml; may be absolute, or begin with "..".

    Raises (on use):
        ValueError: a path is outside of the root and of the folders.
        DatasetError: the image does not exist.
    """

    def __init__(self, root: Path, folders: Collection[Path] = ()) -> None:
        self._root = root
        self._folders = [PurePosixPath(folder.as_posix()) for folder in folders]
        self._uris: dict[str, str] = {}

    def uri(self, path: str) -> str:
        """Return the image as a `data:image/webp` URI."""
        if path not in self._uris:
            buffer = io.BytesIO()
            self.image(path).save(buffer, format="WEBP", quality=WEBP_QUALITY, method=4)
            self._uris[path] = data_uri(buffer.getvalue(), "webp")
        return self._uris[path]

    def image(self, path: str) -> Image.Image:
        """Return the image in RGB, no larger than HEIGHT by MAX_WIDTH."""
        image_path = PurePosixPath(path)
        inner = image_path
        for folder in self._folders:
            if image_path.is_relative_to(folder):
                inner = image_path.relative_to(folder)
                break
        if inner.is_absolute() or ".." in inner.parts:
            raise ValueError(
                f"image path {path!r} is outside of the project and of the local data sets"
            )
        file = resolve_local(self._root / path)
        if not file.is_file():
            raise DatasetError(
                f"image {file} of the report does not exist; restore it, or run `dvc repro` again"
            )
        image = read_image(file)
        image.thumbnail((MAX_WIDTH, HEIGHT))
        return image

    def strip(self, paths: Sequence[str]) -> bytes:
        """Return the images side by side as a PNG."""
        images = [self.image(path) for path in paths]
        width = sum(image.width for image in images) + GAP * max(0, len(images) - 1)
        canvas = Image.new("RGB", (max(1, width), HEIGHT), "white")
        left = 0
        for image in images:
            canvas.paste(image, (left, 0))
            left += image.width + GAP
        buffer = io.BytesIO()
        canvas.save(buffer, format="PNG")
        return buffer.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Return the bytes of an image as a data URI; `kind` is "png" or "webp"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
