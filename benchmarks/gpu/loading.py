"""Loading: images per second from stored pixels to an augmented batch on the device, one thread."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gpu.fabricated import fabricated_images
from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import NUM_DOMAINS, Setting
from metabin.config import Augment
from metabin.data.batches.loading import load_batch

GOAL = 5_000  # images per second


def rows(setting: Setting) -> Iterator[Row]:
    plain = Augment(
        flip=0.5, pad=10, colour_jitter=False, erasing=0.0, strong=0.0, amplitude_mix=0.0
    )
    jittered = plain.model_copy(update={"colour_jitter": True})
    for what, settings, goal in (
        ("flip, pad, crop", plain, GOAL),
        ("with colour jitter", jittered, None),
    ):
        speed = images_per_second(setting, settings)
        yield Row(f"loading a batch, {what}", speed, "images/s", at_least=goal)


def images_per_second(setting: Setting, settings: Augment) -> float:
    """Return the speed of loading random rows of the stored pixels."""
    sizes = setting.sizes
    data = fabricated_images({"a": (400, 2_000)}, height=sizes.height, width=sizes.width)
    num_images = NUM_DOMAINS * sizes.ids_per_domain * sizes.images_per_id
    random = np.random.default_rng(0)

    def load() -> None:
        index = random.integers(0, len(data), num_images)
        batch = load_batch(data, index, random, settings)
        if setting.device.type == "cuda":
            batch = batch.pin()
        batch.to(setting.device)

    return 1000 * num_images / setting.measure(load).total
