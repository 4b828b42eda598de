"""Growth of the costs: a training step with batch, identities and domains; ranking with gallery.

A row compares a size with the first of its series: `ratio` is the growth of the size divided by
that of the cost, so that a ratio below 1 means a cost that grows faster than the size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pairs, step

BACKBONE = "mobilenetv2_1.0"
# By title, the sizes. The first word of a title selects the work, see `work_of`.
SERIES: dict[str, tuple[int, ...]] = {
    "images in a batch (4 domains)": (16, 32, 64, 96),
    "training identities (batch 32)": (1_000, 4_000, 16_000, 64_000),
    "source domains (batch 64)": (2, 4, 8),
    "gallery images (1,000 queries)": (5_000, 20_000, 80_000),
}


def rows() -> Iterator[pairs.Row]:
    for series, sizes in SERIES.items():
        seconds = [median_seconds(work_of(series, size)) for size in sizes]
        for size, cost in zip(sizes, seconds, strict=True):
            # (growth of the size) / (growth of the cost)
            ratio = (size / sizes[0]) / (cost / seconds[0])
            yield pairs.Row(f"{size:,} {series}", f"{sizes[0]:,}", cost, seconds[0], "s", ratio)


def work_of(series: str, size: int) -> Callable[[], object]:
    """Return a function that does the work of one size of a series once."""
    match series.split()[0]:
        case "images":
            return step.ours(BACKBONE, batch=size)
        case "training":
            return step.ours(BACKBONE, num_classes=size)
        case "source":
            return step.ours(BACKBONE, batch=64, num_domains=size)
        case _:
            return ranking(size)


def ranking(
    num_gallery: int, *, num_query: int = 1_000, num_features: int = 2048
) -> Callable[[], object]:
    """Return a function that computes distances and scores of random embeddings."""
    from metabin.evaluation.scoring import retrieval_scores
    from metabin.types import Embeddings

    random = np.random.default_rng(0)
    query, gallery = (
        Embeddings(
            random.standard_normal((number, num_features), dtype=np.float32),
            random.integers(0, num_gallery // 20, number),
            random.integers(0, 6, number),
        )
        for number in (num_query, num_gallery)
    )
    return lambda: retrieval_scores(query, gallery)


def median_seconds(work: Callable[[], object], *, warm_ups: int = 2, repeats: int = 3) -> float:
    """Return the median processor seconds of the work, after warm-ups that allocate its memory."""
    seconds = [pairs.processor_seconds(work) for _ in range(warm_ups + repeats)]
    return float(np.median(seconds[warm_ups:]))


def plot(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot the cost of every series against the size, beside a cost that grows in proportion.

    Both axes are logarithmic.
    """
    from matplotlib.figure import Figure

    seconds_of = {row["what"]: row["ours"] for row in results}
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for axes, (series, sizes) in zip(figure.subplots(1, len(SERIES)), SERIES.items(), strict=True):
        seconds = [seconds_of[f"{size:,} {series}"] for size in sizes]
        proportional = [seconds[0] * size / sizes[0] for size in sizes]
        axes.loglog(sizes, seconds, "o-", color="#1f5fa8", label="measured")
        axes.loglog(sizes, proportional, ":", color="#888888", label="as the size")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=30)
        axes.minorticks_off()
        # The labels of nearly equal costs would overlap.
        ticks = [seconds[0], seconds[-1]] if seconds[-1] > 1.5 * seconds[0] else [seconds[0]]
        axes.set_yticks(ticks, [f"{value:.2g}" for value in ticks])
        axes.set_xlabel(series)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("processor seconds, one thread")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    pairs.main(rows)
