"""Start of a training on many identities: the records of its images, and the first batch.

The sampler divides the images of each identity into groups, and draws from the identities that
still have some.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import pairs
from benchmarks.large.line import Line, computed

IMAGES_PER_ID = 10
SIZES = (5_000, 15_000, 45_000)
NUM_RECORDS = 200_000
TARGET_IDS = 1_000_000
TARGET_IMAGES = TARGET_IDS * IMAGES_PER_ID
NUM_BATCHES = 20


def rows() -> Iterator[Line]:
    yield from sampler_lines()
    with tempfile.TemporaryDirectory() as folder:
        write_records(Path(folder))
        with pairs.Worker("benchmarks.large.identities", f"load:{folder}") as worker:
            measured = worker.run()
    yield Line(f"records of {NUM_RECORDS:,} images: read", measured.seconds, "s")
    yield Line("records: peak memory per image", measured.peak / NUM_RECORDS, "bytes")
    growth = TARGET_IMAGES / NUM_RECORDS
    yield computed(f"records of {TARGET_IMAGES:,} images: read", growth * measured.seconds, "s")
    yield computed(
        f"records of {TARGET_IMAGES:,} images: memory", growth * measured.peak / 1e9, "GB"
    )


def sampler_lines() -> Iterator[Line]:
    """Yield the costs of the sampler of base batches, 20 identities x 4 images each."""
    from metabin.data.batches.sampling import IdentitySampler

    starts = []
    draws = []
    for size in SIZES:
        label = np.random.default_rng(0).permutation(np.repeat(np.arange(size), IMAGES_PER_ID))
        batches = iter(IdentitySampler(label, 20, 4, seed=0))
        starts.append(pairs.processor_seconds(lambda batches=batches: next(batches)))
        begin = time.process_time()
        list(itertools.islice(batches, NUM_BATCHES))
        draws.append((time.process_time() - begin) / NUM_BATCHES)
        yield Line(f"{size:,} identities: first batch of an epoch", starts[-1], "s")
        yield Line(f"{size:,} identities: each other batch", 1e3 * draws[-1], "ms")
    growth = TARGET_IDS / SIZES[-1]
    target = f"{TARGET_IDS:,} identities, in proportion"
    yield computed(f"{target}: first batch of an epoch", growth * starts[-1], "s")
    yield computed(f"{target}: each other batch", 1e3 * growth * draws[-1], "ms")


def write_records(folder: Path) -> None:
    """Write a data set of images of one pixel, whose records are those of a large one."""
    from metabin.data.store import write_records
    from metabin.types import ImageRecord

    records = [
        ImageRecord(f"camera/{row:08}.jpg", row // IMAGES_PER_ID, row % 6, "large")
        for row in range(NUM_RECORDS)
    ]
    write_records(folder / "large.csv", records)
    np.save(folder / "large.npy", np.zeros((NUM_RECORDS, 1, 1, 3), np.uint8))


def load(folder: str) -> Callable[[], object]:
    """Return a function that reads the records as a training does."""
    from metabin.data.batches.loading import load_part

    manifest = {"domains": {"large": {"rows": {"train": [[0, NUM_RECORDS]]}}}}
    return lambda: load_part(Path(folder), manifest, ("large",), "train")


if __name__ == "__main__":
    pairs.main(rows)
