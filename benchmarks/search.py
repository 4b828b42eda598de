"""Search of `metabin search` in generated embeddings, against FAISS's exact index in memory.

The gallery is read from Parquet files, as `metabin embed` writes them. FAISS's index has it in
memory before the time is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import pairs

if TYPE_CHECKING:
    from metabin.commands.embedding_files import EmbeddingFiles

NUM_QUERIES = 1_000
NUM_GALLERY = 1_000_000
SIZE = 512
TOP = 10
SHARD_SIZE = 10_000
IMAGES_PER_ID = 20
SPREAD = 0.7  # length of the difference of an image from its identity, of length 1
MAX_MEMORY = 2.0  # GB


def rows() -> Iterator[pairs.Row]:
    what = f"{NUM_QUERIES:,} queries, {NUM_GALLERY:,} embeddings of {SIZE}"
    with tempfile.TemporaryDirectory() as folder:
        write_gallery(Path(folder))
        seconds, memory = pairs.compare_processes(
            f"{what}: exact",
            "FAISS IndexFlatIP in memory",
            "benchmarks.search",
            f"exact:{folder}",
            f"faiss_exact:{folder}",
            warm_ups=1,  # FAISS reads the gallery
            repeats=2,
        )
        yield seconds
        yield memory
        limit = MAX_MEMORY / memory.ours
        yield pairs.Row(memory.what, "the limit", memory.ours, MAX_MEMORY, "GB", limit, goal=1)
        yield from pairs.compare_processes(
            f"{what}: stored FAISS index",
            "exact",
            "benchmarks.search",
            f"approximate:{folder}",
            f"exact:{folder}",
            warm_ups=1,  # builds the index
            repeats=1,
        )
        share = agreement(Path(folder))
        yield pairs.Row(f"{what}: top {TOP} of FAISS", "exact", share, 1.0, "", share)


def write_gallery(folder: Path) -> None:
    """Write random embeddings of identities with `IMAGES_PER_ID` images each, in random order."""
    from metabin.commands.embedding_manifest import Manifest
    from metabin.commands.embedding_writer import ShardFolder

    manifest = Manifest("0" * 64, SIZE, ".", "", NUM_GALLERY, SHARD_SIZE)
    shards = ShardFolder(folder, manifest)
    shards.open(overwrite=False)
    random = np.random.default_rng(0)
    centres = identities()
    ids = random.permutation(np.arange(NUM_GALLERY) // IMAGES_PER_ID)
    for number in range(manifest.num_shards):
        positions = manifest.images_of(number)
        paths = [f"camera/{position:07d}.jpg" for position in positions]
        shards.write(number, paths, around(centres[ids[list(positions)]], random), [])


def queries() -> np.ndarray:
    """Return another embedding of some identities of the gallery, (NUM_QUERIES, SIZE)."""
    random = np.random.default_rng(2)
    return around(random.permutation(identities())[:NUM_QUERIES], random)


def identities() -> np.ndarray:
    """Return the centre of each identity, of unit length."""
    from metabin.inference.similarity import unit_length

    shape = (NUM_GALLERY // IMAGES_PER_ID, SIZE)
    return unit_length(np.random.default_rng(1).standard_normal(shape, dtype=np.float32))


def around(centres: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return an embedding of unit length near each centre, (N, SIZE) float32."""
    from metabin.inference.similarity import unit_length

    noise = random.standard_normal(centres.shape, dtype=np.float32)
    return unit_length(centres + SPREAD * unit_length(noise))


def gallery(folder: Path) -> EmbeddingFiles:
    from metabin.commands.embedding_files import open_embeddings

    return open_embeddings(str(folder))


def exact(folder: str) -> Callable[[], object]:
    """Return a function that searches exactly, in the Parquet files."""
    from metabin.commands.nearest import search_exactly

    query = queries()
    files = gallery(Path(folder))
    return lambda: search_exactly(query, files, TOP)


def faiss_exact(folder: str) -> Callable[[], object]:
    """Return a function that searches exactly, by FAISS in memory. It reads the files at first."""
    import faiss

    faiss.omp_set_num_threads(1)
    query = queries()
    index = faiss.IndexFlatIP(SIZE)

    def run() -> object:
        if not index.ntotal:
            for block in gallery(Path(folder)).blocks(SHARD_SIZE):
                index.add(block)
        return index.search(query, TOP)

    return run


def approximate(folder: str) -> Callable[[], object]:
    """Return a function that searches approximately, by a stored index."""
    import faiss

    from metabin.commands.approximate import search_approximately
    from metabin.commands.embedding_files import INDEX

    faiss.omp_set_num_threads(1)
    query = queries()
    files = gallery(Path(folder))
    return lambda: search_approximately(query, files, TOP, Path(folder) / INDEX)


def agreement(folder: Path) -> float:
    """Return the share of the exact matches that the approximate search returns."""
    from metabin.commands.approximate import agreement, search_approximately
    from metabin.commands.embedding_files import INDEX

    query = queries()
    files = gallery(folder)
    matches = search_approximately(query, files, TOP, folder / INDEX)
    return agreement(query, files, matches, np.random.default_rng(0))[0]


if __name__ == "__main__":
    pairs.main(rows)
