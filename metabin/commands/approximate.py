"""Approximate search for the nearest embeddings, by FAISS.

The gallery is divided into about sqrt(N) clusters, and a query is compared with the embeddings of
the nearest clusters alone, whose values have 8 bits. To build this index costs about as much as the
exact search of 2,000 queries. It is worth it if the index is used again.
"""

from __future__ import annotations

import math
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from metabin.commands.nearest import Gallery, NearestImages, search_exactly
from metabin.errors import ConfigError
from metabin.inference.similarity import unit_length

ROWS = 16_384  # embeddings that are added at a time
TRAINING_PER_CLUSTER = 64  # embeddings from which the clusters are computed
SEARCHED = 1 / 16  # of the clusters, but not less than
MIN_SEARCHED = 8
NUM_SAMPLED = 100  # queries whose matches are compared with the exact ones


def search_approximately(
    query: np.ndarray, gallery: Gallery, k: int, stored: Path | None
) -> NearestImages:
    """Return about the k most similar embeddings of the gallery.

    Args:
        query: (Q, D).
        gallery: N embeddings (N, D).
        k: At most N count.
        stored: File of the index. It is read, or written if it does not exist or does not fit.

    Raises:
        ConfigError: FAISS is not installed.
    """
    index = _read_index(stored, len(gallery), query.shape[1]) if stored else None
    if index is None:
        index = _build_index(gallery, query.shape[1])
        if stored:
            _write_index(index, stored)
    index.nprobe = max(MIN_SEARCHED, math.ceil(index.nlist * SEARCHED))
    scores, positions = index.search(unit_length(query), min(k, len(gallery)))
    return NearestImages(positions, np.clip(scores, -1, 1))


def agreement(
    query: np.ndarray, gallery: Gallery, matches: NearestImages, random: np.random.Generator
) -> tuple[float, int]:
    """Compare matches with those of the exact search, for at most `NUM_SAMPLED` random queries.

    Returns:
        The mean share of the k exact matches that are among `matches`, in 0..1; and the number of
        queries.
    """
    sample = random.permutation(len(query))[:NUM_SAMPLED]
    k = matches.index.shape[1]
    exact = search_exactly(query[sample], gallery, k)
    common = [
        len(np.intersect1d(matches.index[row], exact.index[number]))
        for number, row in enumerate(sample)
    ]
    return float(np.mean(common)) / k, len(sample)


def _build_index(gallery: Gallery, size: int) -> Any:
    faiss = _faiss()
    num_clusters = max(1, round(math.sqrt(len(gallery))))
    index = faiss.index_factory(size, f"IVF{num_clusters},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # a small gallery is no reason for a warning
    index.train(_sample(gallery, num_clusters * TRAINING_PER_CLUSTER))
    for block in gallery.blocks(ROWS):
        index.add(unit_length(block))
    return index


def _sample(gallery: Gallery, count: int) -> np.ndarray:
    """Return about `count` random embeddings of a gallery, or all if it has fewer."""
    random = np.random.default_rng(0)
    share = count / len(gallery)
    rows = [block[random.random(len(block)) < share] for block in gallery.blocks(ROWS)]
    return unit_length(np.concatenate(rows))


def _read_index(path: Path, num_embeddings: int, size: int) -> Any | None:
    """Return a stored index, or None if there is none of this gallery."""
    faiss = _faiss()
    if not path.is_file():
        return None
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:  # damaged, or of another version of FAISS
        return None
    return index if (index.ntotal, index.d) == (num_embeddings, size) else None


def _write_index(index: Any, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _faiss().write_index(index, str(partial))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{path} cannot be written ({reason}); copy the embeddings to a folder that you may "
            "write, or free space on the disk, or use --index exact"
        ) from None
    else:
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _faiss() -> Any:
    try:
        return import_module("faiss")
    except ImportError:
        raise ConfigError(
            "--index faiss needs the package faiss-cpu, which is not installed; "
            "run `pip install 'metabin[search]'`, or use --index exact"
        ) from None
