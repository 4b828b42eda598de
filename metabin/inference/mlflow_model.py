"""A trained model as MLflow loads and serves it: images in base64 -> embeddings.

MLflow calls `_load_pyfunc`, whose name it prescribes. This module imports no MLflow.
"""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from metabin.errors import DatasetError
from metabin.images import decode_image
from metabin.inference.load import load
from metabin.inference.model import ReIDModel

if TYPE_CHECKING:
    import pandas as pd

COLUMN = "image"  # of the table that MLflow passes


@dataclass(frozen=True, slots=True)
class MlflowModel:
    """A trained model with the interface of an MLflow pyfunc."""

    model: ReIDModel

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the embeddings of images, (N, D) float32 of unit length.

        Args:
            table: N rows with the column `image`: the content of an image file, in base64.

        Raises:
            DatasetError: A text is no image.
        """
        texts = table[COLUMN]
        return self.model.embed(_decode(text, row) for row, text in enumerate(texts))


def _decode(text: str, row: int) -> Image.Image:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise DatasetError(
            f"image {row} is not base64: {error}; expected is the content of a JPEG or PNG file "
            "in base64, without line breaks and without `data:image/...`"
        ) from None
    try:
        return decode_image(io.BytesIO(content))
    except DatasetError as error:
        raise DatasetError(f"image {row} cannot be read: {error}") from None


def _load_pyfunc(folder: str) -> MlflowModel:
    return MlflowModel(load(Path(folder)))
