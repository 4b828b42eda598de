"""Host syncs: the places where an iteration of the trainer waits for the device."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.gpu.fabricated import fabricated_images, short_config
from benchmarks.gpu.rows import Row
from benchmarks.gpu.setting import Setting
from metabin.engine.trainer import Trainer

FIRST = 2  # iterations that may wait: they compile kernels and allocate memory
LAST = 6


def rows(setting: Setting) -> Iterator[Row]:
    for method in ("bn", "bin_joint", "metabin"):
        places = syncs(setting, method)
        count = sum(places.values()) / (LAST - FIRST)
        what = f"{method}: waits of the host for the device"
        yield Row(what, count, "per iteration", at_most=0, is_check=True)
        for place, number in places.most_common():
            yield Row(f"{method}: waits at {place}", number / (LAST - FIRST), "per iteration")


def syncs(setting: Setting, method: str) -> Counter[str]:
    """Count the waits in some iterations that record nothing, by file and line.

    On a CPU nothing waits.
    """
    changes = {"record.loss_every": 10_000}
    config = short_config(setting.device, steps=LAST + 2, changes=changes)
    data = fabricated_images({"a": (8, 32), "b": (8, 32), "c": (8, 32)}, height=64, width=32)

    def watch(step: int, *_: Any) -> None:
        """Count from the end of one iteration to the end of another."""
        if setting.device.type == "cuda" and step + 1 in (FIRST, LAST):
            torch.cuda.set_sync_debug_mode("warn" if step + 1 == FIRST else "default")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Trainer(config, data, method, 0).run(watch=watch)
    return Counter(
        f"{os.path.relpath(warning.filename)}:{warning.lineno}"
        for warning in caught
        if "called a synchronizing" in str(warning.message)
    )
