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
import pydantic
from pydantic import PositiveInt, TypeAdapter, ValidationError

from metabin.commands.embedding_manifest import (
    MANIFEST,
    first_problem,
    read_manifest,
    shard_path,
)
from metabin.errors import DatasetError

if TYPE_CHECKING:
    from metabin.model.description import ModelDescription

METADATA = b"metabin"  # key in the schema's metadata
INDEX = "_index.faiss"  # written beside the shards by `metabin search --index faiss`


@pydantic.dataclasses.dataclass(frozen=True)
class ShardMetadata:
    """What a shard says about its embeddings, in JSON under the key METADATA of its schema.

    Attributes:
        version: Of metabin.
        model: sha256 of the model's weights.
        embedding_size: D.
        images: Folder from which the paths start, relative to the folder of the shards.
        unreadable: Images that are left out, with the reasons.
    """

    version: str
    model: str
    embedding_size: PositiveInt
    images: str
    unreadable: list[tuple[str, str]]

    @property
    def columns(self) -> dict[str, pa.DataType]:
        """Return the types of the columns."""
        return {"path": pa.string(), "embedding": pa.list_(pa.float32(), self.embedding_size)}


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
                    values = batch.column(0).flatten().to_numpy()
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
    metadata = [read_metadata(file) for file in files]
    first = metadata[0]
    for file, other in zip(files, metadata, strict=True):
        if (other.model, other.images) != (first.model, first.images):
            raise DatasetError(
                f"{file} has embeddings of another model or of other images than {files[0]}; "
                "delete one of the two, and run its `metabin embed` command again"
            )
    return EmbeddingFiles(
        files,
        first.model,
        first.embedding_size,
        files[0].parent / first.images,
        sum(pq.read_metadata(file).num_rows for file in files),
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


def read_metadata(file: Path) -> ShardMetadata:
    """Read from a Parquet file the model and the images that it is of.

    Raises:
        DatasetError: The file is missing or damaged, or `metabin embed` did not write it.
    """
    with _reading(file):
        schema = pq.read_schema(file)
    if METADATA not in (schema.metadata or {}):
        raise DatasetError(
            f"{file} does not say which model its embeddings are of; "
            "expected is the output of `metabin embed`"
        )
    try:
        metadata = TypeAdapter(ShardMetadata).validate_json(schema.metadata[METADATA])
    except ValidationError as error:
        raise _damaged(file, first_problem(error)) from None
    columns = {field.name: field.type for field in schema}
    if columns != metadata.columns:
        types = ", ".join(f"{name} ({kind})" for name, kind in columns.items())
        raise _damaged(file, f"its columns are {types}")
    return metadata


def _complete_shards(folder: Path) -> list[Path]:
    manifest = read_manifest(folder)
    missing = manifest.missing_shards(folder)
    if missing:
        raise DatasetError(
            f"{folder} lacks {len(missing)} of {manifest.num_shards} shards; "
            "run its `metabin embed` command again, which writes those alone"
        )
    return [shard_path(folder, number) for number in range(manifest.num_shards)]


def _paths(file: Path) -> list[str]:
    with _reading(file):
        table = pq.read_table(file, columns=["path"], page_checksum_verification=True)
        return table["path"].to_pylist()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Turn the errors of pyarrow into a DatasetError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"{file} does not exist; write it with `metabin embed`") from None
    except (pa.ArrowException, OSError) as error:
        raise _damaged(file, str(error).splitlines()[0]) from None


def _damaged(file: Path, reason: str) -> DatasetError:
    return DatasetError(
        f"{file} is not a Parquet file of `metabin embed`, or damaged ({reason}); "
        "delete it and run `metabin embed` again"
    )
