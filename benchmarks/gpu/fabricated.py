"""Random images in the place of data sets, and parameters of short trainings on them.

The cost of a training does not depend on what the images show.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metabin.config import Config, parse_config, read_values
from metabin.config.editing import overlay
from metabin.data.batches.loading import ImageSet

ROOT = Path(__file__).parents[2]
NUM_STORED = 2_048  # different images; the images of a data set repeat them


def fabricated_images(
    datasets: Mapping[str, tuple[int, int]], *, height: int, width: int, num_cameras: int = 6
) -> ImageSet:
    """Return data sets of random images.

    Args:
        datasets: name -> number of identities and of images, which are spread evenly over the
            identities, and over the cameras.
    """
    random = np.random.default_rng(0)
    total = sum(count for _, count in datasets.values())
    stored = min(total, NUM_STORED)
    pixels = random.integers(0, 256, (stored, height, width, 3), np.uint8)
    labels: list[np.ndarray] = []
    domains: list[np.ndarray] = []
    first_label = 0
    for domain, (num_ids, num_images) in enumerate(datasets.values()):
        # image i is of identity floor(i * ids / images)
        labels.append(first_label + np.arange(num_images) * num_ids // num_images)
        domains.append(np.full(num_images, domain))
        first_label += num_ids
    label = np.concatenate(labels)
    return ImageSet(
        pixels=(pixels,),
        dataset=np.zeros(total, np.int64),
        row=np.arange(total) % stored,
        domain=np.concatenate(domains),
        pid=label,
        camid=np.arange(total) % num_cameras,
        label=label,
        names=tuple(datasets),
    )


def short_config(
    device: torch.device, *, steps: int, changes: dict[str, Any] | None = None
) -> Config:
    """Return the parameters of a short training of the small network on small batches.

    Args:
        changes: values by dotted key, for example {"compute.precision": "tf32"}.
    """
    settings: dict[str, Any] = {
        "compute.device": device.type,
        "optim.duration": steps,
        "optim.optimizer": "sgd",
        "optim.schedule": "warmup_milestones",
        "optim.ids_per_batch": 8,
        "optim.images_per_id": 2,
        "meta.ids_per_domain": 2,
        "meta.inner_period": 4,
        "record.loss_every": 1,
        "record.rho_every": 10_000,
        "record.checkpoint_every": 10_000,
        "record.checkpoint_seconds": 0,
    }
    return parse_config(overlay(read_values(ROOT / "params.yaml"), settings | (changes or {})))
