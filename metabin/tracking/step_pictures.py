"""Pictures that the MLflow UI shows in tiles with a step slider."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from metabin.tracking.formatting import clean_key

FOLDER = "images"  # of a run's artifacts, where the UI looks for pictures
TAG = "mlflow.loggedImages"  # the UI looks into the folders of runs that have it
SCALE = 3  # pixels of a picture per pixel of its tile
# The UI shows a tile's picture in the middle of a square that is at least as wide as the text above
# it, and cuts the square off. A picture that is higher than the square begins at its top.
TILE_HEIGHT = 480


def save_pictures(pictures: Mapping[str, Image.Image], step: int, folder: Path) -> None:
    """Write pictures of one step into a folder, for FOLDER of a run with TAG.

    `client.log_image` would reduce it to 256 pixels for the tile, and the UI would cut it off.

    Args:
        pictures: key -> picture, SCALE times as large as in a tile. A click on the tile opens it.
    """
    for key, picture in pictures.items():
        # The file names are those of log_image. They tell the UI the key and the step.
        now = int(time.time() * 1000)
        name = f"{clean_key(key).replace('/', '~')}+step+{step}+timestamp+{now}+{uuid.uuid4()}"
        picture.save(folder / f"{name}.png", compress_level=1)
        _tile(picture).save(folder / f"{name}+compressed.webp", lossless=True, method=0)


def _tile(picture: Image.Image) -> Image.Image:
    reduced = picture.reduce(SCALE)
    tile = Image.new("RGB", (reduced.width, max(reduced.height, TILE_HEIGHT)), "white")
    tile.paste(reduced)
    return tile
