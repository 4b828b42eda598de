"""A thousand cameras as the domains of the meta step, and scores by pair of cameras.

Labels and embeddings are random. Each identity is seen by 4 cameras, twice by each.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import numpy as np

from benchmarks import pairs
from benchmarks.large.line import Line, computed
from metabin.types import Embeddings

NUM_CAMERAS = (10, 100, 1_000)
IDS_PER_CAMERA = 40
CAMERAS_PER_ID = 4
IMAGES = 2  # of an identity by a camera
NUM_BATCHES = 5
IDS_PER_DOMAIN = 4  # of params.yaml, and the smallest
SMALLEST = 2
IMAGES_PER_ID = 4
PIXEL_BYTES = 4 * 3 * 256 * 128  # of an image on the device
PAIR_CAMERAS = (10, 40, 120)
PAIR_QUERIES = 2_000
PAIR_SIZE = 128
LARGE = (50_000, 200_000)  # queries and gallery images of a thousand cameras


def rows() -> Iterator[Line]:
    for num_cameras in NUM_CAMERAS:
        yield from sampler_lines(num_cameras)
    most = NUM_CAMERAS[-1]
    for num_ids, num_images in ((IDS_PER_DOMAIN, IMAGES_PER_ID), (SMALLEST, SMALLEST)):
        size = most * num_ids * num_images
        title = f"{most:,} cameras, {num_ids} identities x {num_images} images"
        yield computed(f"{title}: images of a meta batch", size)
        yield computed(f"{title}: their pixels at 256x128, float32", size * PIXEL_BYTES / 1e9, "GB")
    yield from pair_lines(most)


def sampler_lines(num_cameras: int) -> Iterator[Line]:
    """Yield the time of the sampler of meta batches."""
    from metabin.data.batches.sampling import DomainSampler

    label, camera = labels(num_cameras)
    sampler = DomainSampler(label, camera, IDS_PER_DOMAIN, IMAGES_PER_ID, seed=0)
    batches = iter(sampler)
    first = pairs.processor_seconds(lambda: next(batches))
    begin = time.process_time()
    list(itertools.islice(batches, NUM_BATCHES))
    other = (time.process_time() - begin) / NUM_BATCHES
    title = f"{num_cameras:,} cameras, {len(label):,} images"
    yield Line(f"{title}: first meta batch of an epoch", 1e3 * first, "ms")
    yield Line(f"{title}: each other meta batch", 1e3 * other, "ms")


def labels(num_cameras: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the identity and the camera of every image: neighbouring cameras share identities."""
    num_ids = num_cameras * IDS_PER_CAMERA // CAMERAS_PER_ID
    label = np.repeat(np.arange(num_ids), CAMERAS_PER_ID * IMAGES)
    visit = np.tile(np.repeat(np.arange(CAMERAS_PER_ID), IMAGES), num_ids)
    return label, (label * CAMERAS_PER_ID + visit) % num_cameras


def pair_lines(target: int) -> Iterator[Line]:
    """Yield the time of scores by pair of cameras, where each pair shares identities."""
    from metabin.evaluation.camera_pairs import camera_pair_scores
    from metabin.evaluation.metrics import row_blocks

    def seconds_of(num_cameras: int) -> float:
        query, gallery = (embeddings(num_cameras, seed) for seed in (0, 1))
        return pairs.processor_seconds(lambda: camera_pair_scores(query, gallery))

    seconds_of(2)  # compiles
    seconds = [seconds_of(number) for number in PAIR_CAMERAS]
    counts = [number * (number - 1) for number in PAIR_CAMERAS]
    for number, count, value in zip(PAIR_CAMERAS, counts, seconds, strict=True):
        yield Line(f"scores by pair of cameras, {number} cameras: {count:,} pairs", value, "s")
    per_pair, _ = np.polyfit(counts, seconds, 1)
    yield Line("scores by pair of cameras: per pair and block of queries", 1e3 * per_pair, "ms")
    blocks = len(list(row_blocks(*LARGE)))
    number = target * (target - 1)
    title = f"{target:,} cameras, {LARGE[0]:,} queries, {LARGE[1]:,} images"
    yield computed(f"{title}: blocks of queries", blocks)
    yield computed(
        f"{title}: scores by pair, {number:,} pairs", per_pair * number * blocks / 3600, "h"
    )


def embeddings(num_cameras: int, seed: int) -> Embeddings:
    """Return random embeddings of 100 identities under random cameras."""
    random = np.random.default_rng(seed)
    return Embeddings(
        random.standard_normal((PAIR_QUERIES, PAIR_SIZE), dtype=np.float32),
        random.integers(0, 100, PAIR_QUERIES),
        random.integers(0, num_cameras, PAIR_QUERIES),
    )


if __name__ == "__main__":
    pairs.main(rows)
