"""Reading of the Parquet files that `metabin embed` wrote, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from metabin.commands.embedding_manifest import (
    MANIFEST,
    Manifest,
    first_problem,
    read_manifest,
    shard_path,
)
from metabin.config.ranges import Count
from metabin.errors import DatasetError

if TYPE_CHECKING:
    from metabin.model.description import ModelDescription

METADATA = b"metabin"  # key in the schema's metadata
INDEX = "_index.faiss"  # written beside the shards by `metabin search --index faiss`


class ShardMetadata(BaseModel):
    """The model and the images of a Parquet file.

    Attributes:
        version: Of metabin, which wrote the file.
        model: sha256 of the model's weights.
        embedding_size: D.
        images: Folder from which the paths start, relative to the folder of the file.
        unreadable: Path and reason of the images that are left out.
    """

    model_config = ConfigDict(strict=True)

    version: str
    model: str
    embedding_size: Count
    images: str
    unreadable: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class EmbeddingFiles:
    """N embeddings of one model in Parquet files."""

    files: list[Path]
    model: str  # sha256 of its weights
    embedding_size: int
    images: Path  # folder from which the paths start
    num_embeddings: int

    def __len__(self) -> int:
        return self.num_embeddings

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the embeddings in order, at most (rows, D) at a time."""
        for file in self.files:
            with _reading(file), pq.ParquetFile(file, page_checksum_verification=True) as shard:
                for batch in shard.iter_batches(rows, columns=["embedding"]):
                    column = batch.column(0)
                    values = column.flatten().to_numpy()
                    if column.null_count or not np.isfinite(values).all():
                        raise ValueError("an embedding is missing, or has NaN or infinite values")
                    yield values.reshape(-1, self.embedding_size)

    def paths(self) -> list[str]:
        """Return the paths of all images."""
        return [path for file in self.files for path in _paths(file)]


def is_embeddings(source: str) -> bool:
    """Return whether an argument of a command names embeddings."""
    path = Path(source)
    return path.suffix == ".parquet" or (path / MANIFEST).is_file()


def open_embeddings(source: str) -> EmbeddingFiles:
    """Open the output of `metabin embed`, or one file of it.

    Raises:
        DatasetError: It is missing, damaged or incomplete, or written by another program.
    """
    path = Path(source)
    files = _complete_shards(path) if path.is_dir() else [path]
    shards = [read_shard(file) for file in files]
    first, _ = shards[0]
    return EmbeddingFiles(
        files,
        first.model,
        first.embedding_size,
        files[0].parent / first.images,
        sum(num_rows for _, num_rows in shards),
    )


def require_model(
    embeddings: EmbeddingFiles, source: str, description: ModelDescription
) -> EmbeddingFiles:
    """Return embeddings that are of a model.

    Args:
        source: Argument of the command, for messages.

    Raises:
        DatasetError: They are of another model.
    """
    advice = "write them again with `metabin embed --overwrite`, or use their model"
    if embeddings.embedding_size != description.embedding_size:
        raise DatasetError(
            f"{source} has embeddings of {embeddings.embedding_size:,} values, and those of the "
            f"model have {description.embedding_size:,}; {advice}"
        )
    if embeddings.model != description.sha256:
        raise DatasetError(
            f"{source} has embeddings of the model with the sha256 {embeddings.model[:12]}, and "
            f"this one has {description.sha256[:12]}; {advice}"
        )
    return embeddings


def read_shard(file: Path) -> tuple[ShardMetadata, int]:
    """Read from a Parquet file the model and the images that it is of, and its number of rows.

    Raises:
        DatasetError: The file is missing or damaged, or `metabin embed` did not write it.
    """
    with _reading(file):
        content = pq.read_metadata(file)
        schema = content.schema.to_arrow_schema()
        metadata = content.metadata or {}
        if METADATA not in metadata:
            raise DatasetError(
                f"{file} does not say which model its embeddings are of; "
                "expected is the output of `metabin embed`"
            )
        shard = ShardMetadata.model_validate_json(metadata[METADATA])
        expected = {
            "path": pa.string(),
            "embedding": pa.list_(pa.float32(), shard.embedding_size),
        }
        for name, kind in expected.items():
            if name not in schema.names or schema.field(name).type != kind:
                raise ValueError(f"expected is a column {name} of {kind}")
        return shard, content.num_rows


def require_shard(file: Path, manifest: Manifest, number: int) -> ShardMetadata:
    """Return the metadata of a shard, which must be the one that a manifest describes.

    Raises:
        DatasetError: It is damaged, of another model or folder, or has not all of its images.
    """
    shard, num_rows = read_shard(file)
    found = (shard.model, shard.embedding_size, shard.images)
    if found != (manifest.model, manifest.embedding_size, manifest.images):
        raise DatasetError(
            f"{file} is of another model or folder of images than {MANIFEST} beside it; "
            "delete it and run `metabin embed` again"
        )
    expected = len(manifest.images_of(number))
    if num_rows + len(shard.unreadable) != expected:
        raise DatasetError(
            f"{file} has {num_rows:,} embeddings and leaves out {len(shard.unreadable):,} images; "
            f"expected are {expected:,} together: delete it and run `metabin embed` again"
        )
    return shard


def _complete_shards(folder: Path) -> list[Path]:
    manifest = read_manifest(folder)
    missing = manifest.missing_shards(folder)
    if missing:
        raise DatasetError(
            f"{folder} lacks {len(missing)} of {manifest.num_shards} shards; "
            "run its `metabin embed` command again, which writes those alone"
        )
    files = [shard_path(folder, number) for number in range(manifest.num_shards)]
    for number, file in enumerate(files):
        require_shard(file, manifest, number)
    return files


def _paths(file: Path) -> list[str]:
    with _reading(file):
        table = pq.read_table(file, columns=["path"], page_checksum_verification=True)
        column = table["path"]
        if column.null_count:
            raise ValueError("a path is missing")
        return column.to_pylist()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn the errors of pyarrow and of checks into a DatasetError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"{file} does not exist; write it with `metabin embed`") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        is_check = isinstance(error, ValidationError)
        reason = first_problem(error) if is_check else str(error).splitlines()[0]
        raise DatasetError(
            f"{file} is not a Parquet file, or damaged ({reason}); "
            "delete it and run `metabin embed` again"
        ) from None
