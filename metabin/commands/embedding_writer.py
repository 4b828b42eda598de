"""Writing of embeddings as a folder of Parquet shards.

    part-00000.parquet ...   columns `path` and `embedding`, a fixed-size list of float32
    _manifest.json           model and images of all shards together
    _unreadable.csv          images that were left out, with the reason

Readers of Parquet skip names that begin with "_", so that `pandas.read_parquet(folder)` returns all
embeddings. The schema's metadata have the model under the key "metabin".
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import metabin
from metabin.commands.embedding_files import INDEX, METADATA, ShardMetadata, require_shard
from metabin.commands.embedding_manifest import MANIFEST, Manifest, read_manifest, shard_path
from metabin.errors import DatasetError
from metabin.files import write_bytes, write_text

UNREADABLE = "_unreadable.csv"
SHARDS = "part-*.parquet"
PARTIAL = ".part-*.partial"  # left by a process that was killed
ROW_GROUP = 10_000  # rows that a reader holds in memory at a time

Unreadable = list[tuple[str, str]]  # path and reason


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """A folder whose shards are being written."""

    folder: Path
    manifest: Manifest

    def open(self, *, overwrite: bool) -> None:
        """Create the folder, or check that its shards are of the same model and images.

        Args:
            overwrite: Delete the embeddings in the folder first.

        Raises:
            DatasetError: It is a file, or has other files, or has other embeddings and `overwrite`
                is False.
        """
        if self.folder.is_file():
            raise DatasetError(f"{self.folder} is a file; expected is a folder for Parquet files")
        if self.folder.is_dir() and any(self.folder.iterdir()):
            differences = self.manifest.differences(read_manifest(self.folder))
            if overwrite:
                self._remove(SHARDS, UNREADABLE, INDEX)
            elif differences:
                raise DatasetError(_other_embeddings(self.folder, differences))
            self._remove(PARTIAL)
        write_text(self.folder / MANIFEST, json.dumps(asdict(self.manifest), indent=1) + "\n")

    def write(
        self, number: int, paths: list[str], embeddings: np.ndarray, unreadable: Unreadable
    ) -> None:
        """Write a shard, atomically, with checksums of its pages.

        Args:
            paths: Of the N images that were read.
            embeddings: (N, D) float32.
            unreadable: The images that are left out.

        Raises:
            OSError: It cannot be written; an earlier file stays.
        """
        values = pa.array(embeddings.reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(values, embeddings.shape[1])
        table = pa.table({"path": pa.array(paths, pa.string()), "embedding": column})
        metadata = ShardMetadata(
            version=metabin.__version__,
            model=self.manifest.model,
            embedding_size=self.manifest.embedding_size,
            images=self.manifest.images,
            unreadable=unreadable,
        )
        content = pa.BufferOutputStream()
        # Compression and dictionaries do not make random mantissas smaller, but slower.
        pq.write_table(
            table.replace_schema_metadata({METADATA: metadata.model_dump_json()}),
            content,
            row_group_size=ROW_GROUP,
            compression="none",
            use_dictionary=False,
            write_page_checksum=True,
        )
        write_bytes(shard_path(self.folder, number), memoryview(content.getvalue()))

    def finish(self) -> Unreadable:
        """Write the list of the images that are left out of all shards, and return it."""
        # The shards have it, so that it is complete after a resumed run too.
        unreadable: Unreadable = []
        for number in range(self.manifest.num_shards):
            path = shard_path(self.folder, number)
            unreadable += require_shard(path, self.manifest, number).unreadable
        if unreadable:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([("path", "reason"), *unreadable])
            write_text(self.folder / UNREADABLE, text.getvalue())
        return unreadable

    def _remove(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self.folder.glob(pattern):
                path.unlink()


def _other_embeddings(folder: Path, differences: list[str]) -> str:
    words = {
        "model": "another model",
        "embedding_size": "another model",
        "images": "another folder of images",
        "image_list": "another list of images",
        "num_images": "another list of images",
        "shard_size": "another --shard-size",
        "format": "another version of metabin",
    }
    reasons = " and ".join(dict.fromkeys(words[name] for name in differences))
    return (
        f"{folder} has embeddings of {reasons}; "
        "choose another --output, or replace them with --overwrite"
    )
