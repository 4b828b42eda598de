"""Evaluation at the size of MSMT17: embeddings per second, and the seconds of ranking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import ranking
from benchmarks.gpu.fabricated import fabricated_images
from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import Precision, Setting
from metabin.evaluation.scoring import embed, retrieval_scores
from metabin.types import Embeddings

NUM_FEATURES = 2_048
NUM_EMBEDDED = 4_096
GOAL = 3.0  # seconds of ranking


def rows(setting: Setting) -> Iterator[Row]:
    for backbone in setting.sizes.backbones:
        for precision in setting.precisions:
            speed = embeddings_per_second(setting, backbone, precision)
            yield Row(f"{backbone} {precision}: embedding", speed, "images/s")
    query, gallery = msmt17(setting)
    retrieval_scores(first(query, 100), gallery, setting.device)  # compiles
    seconds = seconds_of(lambda: retrieval_scores(query, gallery, setting.device))
    what = f"MSMT17: ranking {len(query.pid):,} queries among {len(gallery.pid):,} images"
    yield Row(what, seconds, "s", at_most=GOAL)
    yield same_scores(setting, first(query, 500), gallery)


def embeddings_per_second(setting: Setting, backbone: str, precision: Precision) -> float:
    """Return the speed of embedding, from pixels in memory to embeddings in memory."""
    setting.prepare(precision)
    model = setting.network(backbone, precision).eval()
    sizes = setting.sizes
    count = 40 if setting.small else NUM_EMBEDDED
    data = fabricated_images({"a": (count // 4, count)}, height=sizes.height, width=sizes.width)
    embed(model, data)
    return count / seconds_of(lambda: embed(model, data))


def msmt17(setting: Setting) -> tuple[Embeddings, Embeddings]:
    """Return random embeddings of queries and gallery, as many as MSMT17 has."""
    num_query, num_gallery, num_ids, num_cameras = ranking.SIZES["MSMT17"]
    if setting.small:
        num_query, num_gallery, num_ids = 20, 300, 10
    random = np.random.default_rng(0)
    query, gallery = (
        Embeddings(
            random.standard_normal((count, NUM_FEATURES), np.float32),
            random.integers(0, num_ids, count),
            random.integers(0, num_cameras, count),
        )
        for count in (num_query, num_gallery)
    )
    return query, gallery


def same_scores(setting: Setting, query: Embeddings, gallery: Embeddings) -> Row:
    """Compare the mAP by distances of the device with that by distances of numpy."""
    device, cpu = (retrieval_scores(query, gallery, place).mAP for place in (setting.device, None))
    what = f"MSMT17: mAP of {len(query.pid)} queries by distances of the device"
    return Row(
        what, abs(device / cpu - 1), "", "relative difference to numpy", at_most=1e-3, is_check=True
    )


def first(embeddings: Embeddings, count: int) -> Embeddings:
    """Return the first of the embeddings."""
    return Embeddings(embeddings.features[:count], embeddings.pid[:count], embeddings.camid[:count])


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of some work whose result is in the memory of the host."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
