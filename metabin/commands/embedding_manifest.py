"""The manifest of a folder of embeddings: the model and the images of all its shards together."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from metabin.config.ranges import Count
from metabin.errors import DatasetError

MANIFEST = "_manifest.json"
FORMAT = 1  # raised by a change after which an earlier version would read wrongly


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
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
    embedding_size: Count
    images: str
    image_list: str
    num_images: Count
    shard_size: Count
    format: Count = FORMAT

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


def first_problem(error: ValidationError) -> str:
    """Return the first problem that pydantic found, on one line, with the name of the value."""
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    return f"{key}: {problem['msg']}" if key else problem["msg"]


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
        if not isinstance(values, dict):
            raise ValueError(f"it holds a {type(values).__name__}, expected a dict")
        version = values.get("format")
        if isinstance(version, int) and version > FORMAT:
            raise DatasetError(
                f"{path} has the format {version}, and this version of metabin reads up "
                f"to {FORMAT}; install a newer version of metabin"
            )
        return Manifest(**values)
    except ValueError as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else error
        raise DatasetError(
            f"{path} is damaged ({reason}); delete {folder} and run `metabin embed` again"
        ) from None
