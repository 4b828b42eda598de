"""A large gallery: FAISS's product quantisation against the index of `metabin search`.

The codes have 4 bits for each of 128 parts, and FAISS compares many at a time. The embeddings are
those of `benchmarks.search`: random identities with 20 images each. They are never in memory
together. Recall counts the exact nearest images, which are 20 nearly equal images of one identity;
"right identity" counts what re-identification needs.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pairs
from benchmarks.large.line import Line, computed
from benchmarks.search import IMAGES_PER_ID, NUM_GALLERY, SIZE, around, identities

TARGET = 100_000_000
NUM_QUERIES = 500
TOP = 10
CANDIDATES = 100  # that would be compared again with the exact embeddings
CODE = 64  # bytes of a quantised embedding, two parts of it in each
BLOCK = 16_384
SEARCHED = (1 / 16, 1 / 128)  # shares of the clusters


class Generated:
    """A gallery whose embeddings are computed when they are read."""

    def __init__(self) -> None:
        self.centres = identities()

    def __len__(self) -> int:
        return NUM_GALLERY

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the embeddings, (BLOCK, SIZE) or fewer at a time, the same ones in every pass."""
        assert rows == BLOCK
        for start in range(0, NUM_GALLERY, rows):
            positions = np.arange(start, min(start + rows, NUM_GALLERY))
            yield around(self.centres[identity_of(positions)], np.random.default_rng(start))


def identity_of(positions: np.ndarray) -> np.ndarray:
    """Return the identities of positions of the gallery: neighbours in it are of different ones."""
    return positions % (NUM_GALLERY // IMAGES_PER_ID)


def rows() -> Iterator[Line]:
    from metabin.commands.nearest import search_exactly

    gallery = Generated()
    random = np.random.default_rng(2)
    people = random.permutation(NUM_GALLERY // IMAGES_PER_ID)[:NUM_QUERIES]
    query = around(gallery.centres[people], random)
    exact = search_exactly(query, gallery, TOP).index
    yield computed("exact: bytes per embedding", 4 * SIZE, "bytes")
    yield computed(f"exact: {TARGET:,} embeddings", 4e-9 * SIZE * TARGET, "GB")
    for name, code in (("metabin search", "SQ8"), (f"{CODE} bytes", f"PQ{2 * CODE}x4fs")):
        yield from index_lines(name, code, gallery, query, people, exact)


def index_lines(
    name: str,
    code: str,
    gallery: Generated,
    query: np.ndarray,
    people: np.ndarray,
    exact: np.ndarray,
) -> Iterator[Line]:
    """Yield the costs and the recall of an index of clusters with a code for each embedding."""
    index: Any = None

    def build() -> None:
        nonlocal index
        index = build_index(gallery, code)

    seconds = pairs.processor_seconds(build)
    growth = TARGET / NUM_GALLERY
    yield Line(f"{name}: building", seconds, "s")
    size = bytes_per_embedding(index)
    yield Line(f"{name}: bytes per embedding", size, "bytes")
    yield computed(f"{name}: {TARGET:,} embeddings", size * TARGET / 1e9, "GB")
    for share in SEARCHED:
        index.nprobe = math.ceil(share * index.nlist)
        seconds = pairs.processor_seconds(lambda: index.search(query, TOP)) / NUM_QUERIES
        positions = index.search(query, CANDIDATES)[1]
        title = f"{name}, 1/{1 / share:.0f} of the clusters"
        yield Line(f"{title}: queries per second", 1 / seconds, "")
        yield Line(f"{title}: recall@1", recall(exact[:, :1], positions[:, :1]))
        yield Line(f"{title}: recall@{TOP}", recall(exact, positions[:, :TOP]))
        yield Line(f"{title}: exact first among {CANDIDATES}", recall(exact[:, :1], positions))
        right = identity_of(positions[:, 0]) == people
        yield Line(f"{title}: right identity first", float(right.mean()))
        yield computed(f"{title}: a query in {TARGET:,}", growth * seconds, "s")


def build_index(gallery: Generated, code: str) -> Any:
    """Return a trained index of all embeddings, with about sqrt(N) clusters."""
    import faiss

    faiss.omp_set_num_threads(1)
    num_clusters = round(math.sqrt(NUM_GALLERY))
    index: Any = faiss.index_factory(SIZE, f"IVF{num_clusters},{code}", faiss.METRIC_INNER_PRODUCT)
    random = np.random.default_rng(0)
    # As many as `metabin search` takes: 64 for each cluster.
    share = 64 * num_clusters / NUM_GALLERY
    parts = [block[random.random(len(block)) < share] for block in gallery.blocks(BLOCK)]
    index.train(np.concatenate(parts))
    for block in gallery.blocks(BLOCK):
        index.add(block)
    return index


def bytes_per_embedding(index: Any) -> float:
    """Return the size of the index as a file, per embedding."""
    import faiss

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        faiss.write_index(index, str(path))
        return path.stat().st_size / index.ntotal


def recall(expected: np.ndarray, positions: np.ndarray) -> float:
    """Return the mean share of the expected positions that are among those of the search."""
    pairs_of_rows = zip(expected, positions, strict=True)
    return float(np.mean([np.isin(row, others).mean() for row, others in pairs_of_rows]))


if __name__ == "__main__":
    pairs.main(rows)
