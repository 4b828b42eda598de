"""The manifest of a folder of embeddings: the model and the images of all its shards together."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import PositiveInt, ValidationError
from pydantic.dataclasses import dataclass

from metabin.errors import DatasetError

MANIFEST = "_manifest.json"
FORMAT = 1  # raised by a change after which an earlier version would read wrongly


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of all shards together.

    Attributes:
        model: sha256 of the model's weights.
        embedding_size: D.
        images: Folder from which the paths start, relative to the folder of the shards.
        image_list: Digest of the list of images.
        num_images: With those that cannot be read.
        shard_size: Images of a shard.
    """

    model: str
    embedding_size: PositiveInt
    images: str
    image_list: str
    num_images: PositiveInt
    shard_size: PositiveInt
    format: int = FORMAT

    @property
    def num_shards(self) -> int:
        """Return the number of shards."""
        return -(-self.num_images // self.shard_size)  # rounded up

    def differences(self, other: Manifest) -> list[str]:
        """Return the names of the values in which another manifest differs."""
        values = asdict(other)
        return [name for name, value in asdict(self).items() if values[name] != value]

    def images_of(self, number: int) -> range:
        """Return the positions of the images of a shard in the list of images."""
        start = number * self.shard_size
        return range(start, min(start + self.shard_size, self.num_images))

    def missing_shards(self, folder: Path) -> list[int]:
        """Return the numbers of the shards that a folder lacks."""
        return [n for n in range(self.num_shards) if not shard_path(folder, n).is_file()]


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / f"part-{number:05d}.parquet"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder of shards.

    Raises:
        DatasetError: There is none, or it is damaged or of a newer version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DatasetError(
            f"{folder} has files, but no {MANIFEST} of `metabin embed`; choose another folder"
        )
    try:
        values = json.loads(path.read_text())
        if values["format"] > FORMAT:
            raise DatasetError(
                f"{path} has the format {values['format']}, and this version of metabin reads up "
                f"to {FORMAT}; install a newer version of metabin"
            )
        return Manifest(**values)
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is damaged ({first_problem(error)}); "
            f"delete {folder} and run `metabin embed` again"
        ) from None


def first_problem(error: Exception) -> str:
    """Return the message of an error, or the first one of a check of several values."""
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return ": ".join([*map(str, problem["loc"]), problem["msg"]])
    return str(error)
