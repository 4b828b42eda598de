"""The description of a trained model: what a program must know to use its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metabin.config.ranges import Count, Height, Width
from metabin.errors import CheckpointError

FORMAT = 1  # raised by a change after which an earlier version would use a model wrongly
Level = Annotated[float, Field(ge=0, le=255)]  # of a colour
PositiveLevel = Annotated[float, Field(gt=0, le=255)]
COPY_AGAIN = "copy the model again, or train it again"


class ModelDescription(BaseModel):
    """The content of a model's config.json.

    Attributes:
        format: Version of this description.
        method: Method or variant of `protocol.methods` that trained the model.
        fold: Fold that it was trained for; "final" if it was trained on all data sets.
        held_out: Data sets that the training did not read.
        seed: Of the training.
        step: Number of training steps.
        domains: Training data set -> fingerprint of its images.
        training: sha256 of the parameters and the data that decide the outcome of the training.
        backbone: Name in `metabin.backbones.BACKBONES`.
        norm: Name in `metabin.model.swapping.NORMS`.
        rho_per: "channel" or "layer".
        num_classes: Training identities, the outputs of the classifier.
        embedding_size: D, the length of an embedding.
        height, width: Size of the images in pixels.
        resize: Interpolation of Pillow by which images get that size.
        pixel_mean, pixel_std: Of red, green and blue in 0..255. The input of the network is
            (pixels - pixel_mean) / pixel_std.
        sha256: Of the weights file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: int = FORMAT
    method: str
    fold: str
    held_out: tuple[str, ...]
    seed: int
    step: int
    domains: dict[str, str]
    training: str
    backbone: str
    norm: str
    rho_per: Literal["channel", "layer"]
    num_classes: Count
    embedding_size: Count
    height: Height
    width: Width
    resize: Literal["bicubic"] = "bicubic"
    pixel_mean: tuple[Level, Level, Level]
    pixel_std: tuple[PositiveLevel, PositiveLevel, PositiveLevel]
    sha256: str

    def text(self) -> str:
        """Return the description as the text of config.json."""
        return self.model_dump_json(indent=1) + "\n"


def read_description(path: Path) -> ModelDescription:
    """Read a model's config.json.

    Raises:
        CheckpointError: The file is missing, damaged, or of a newer version.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; {_advice(path.parent)}") from None
    except UnicodeDecodeError:
        raise CheckpointError(f"{path} is damaged: it is no text; {COPY_AGAIN}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    return parse_description(text, str(path))


def parse_description(text: str, origin: str) -> ModelDescription:
    """Return the description in the text of a config.json.

    Args:
        text: JSON.
        origin: Name of the file, for messages.

    Raises:
        CheckpointError: The text is no description, or one of a newer version.
    """
    try:
        values: Any = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{origin} is damaged: {error}; {COPY_AGAIN}") from None
    version = values.get("format") if isinstance(values, dict) else None
    if not isinstance(version, int):
        raise CheckpointError(
            f"{origin} does not describe a model of this project: it has no number `format`"
        )
    if version > FORMAT:
        raise CheckpointError(
            f"{origin} has the format {version}, and this version of metabin reads up to {FORMAT}; "
            "install a newer version of metabin"
        )
    try:
        return ModelDescription.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise CheckpointError(f"{origin}: {key}: {problem['msg']}") from None


def _advice(folder: Path) -> str:
    if (folder / "weights.safetensors").is_file():
        return (
            f"{folder} is of an earlier version of this project, which wrote no description; "
            "train again with `dvc repro`"
        )
    return "expected is the folder of a training, such as models/final/metabin/seed-0"
