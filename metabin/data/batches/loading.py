"""Training images in memory, and batches of them as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metabin.config import Augment
from metabin.data.batches.augmentation import augment
from metabin.data.store import load_pixels, load_records, part_rows
from metabin.types import Batch

# Means and deviations of ImageNet's RGB in 0..255, with which every backbone's pretrained weights were made.
PIXEL_MEAN = torch.tensor([123.675, 116.28, 103.53])
PIXEL_STD = torch.tensor([58.395, 57.12, 57.375])


@dataclass(frozen=True, slots=True)
class ImageSet:
    """N images of one part of one or several domains. `label` counts the identities from 0 over all domains."""

    pixels: tuple[np.ndarray, ...]  # per data set, (n, H, W, 3) uint8, mapped from disk
    dataset: np.ndarray  # (N,) index into `pixels`
    row: np.ndarray  # (N,) into the data set's pixels
    domain: np.ndarray  # (N,) index into `names`: the data set, or its camera after `cameras_as_domains`
    pid: np.ndarray  # (N,) the data set's own
    camid: np.ndarray  # (N,)
    label: np.ndarray  # (N,)
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def num_classes(self) -> int:
        return int(self.label.max()) + 1

    def images(self, index: np.ndarray) -> np.ndarray:
        """The pixels of the indexed images, (B, H, W, 3) uint8; B may be 0."""
        return np.stack(self.views(index)) if len(index) else np.empty((0, *self.pixels[0].shape[1:]), np.uint8)

    def views(self, index: np.ndarray) -> list[np.ndarray]:
        """The same, each where it is on disk, (H, W, 3)."""
        return [self.pixels[self.dataset[i]][self.row[i]] for i in index]


def load_part(
    directory: Path, manifest: Mapping[str, Any], domains: tuple[str, ...], part: str, trial: int | None = None
) -> ImageSet:
    """The images of one part ("train", "query", "gallery") of the named domains of a fold, or of a trial of them.

    Raises:
        DatasetError: a file of a domain is missing.
    """
    columns: list[tuple[int, int, int, int, int]] = []
    identities: dict[tuple[int, int], int] = {}
    for index, name in enumerate(domains):
        records = load_records(directory, name)
        for row in part_rows(manifest, name, part, trial).tolist():
            label = identities.setdefault((index, records[row].pid), len(identities))
            columns.append((row, index, records[row].pid, records[row].camid, label))
    row, domain, pid, camid, label = np.array(columns, np.int64).reshape(-1, 5).T
    pixels = tuple(load_pixels(directory, name) for name in domains)
    return ImageSet(pixels, domain, row, domain, pid, camid, label, domains)


def cameras_as_domains(data: ImageSet) -> ImageSet:
    """The same images, with every camera of every data set as a domain; identities stay whole.

    Source: the reference's setting CAMERA_TO_DOMAIN, for training on a single data set.
    """
    cameras, domain = np.unique(np.stack([data.dataset, data.camid]), axis=1, return_inverse=True)
    names = tuple(f"{data.names[dataset]}/camera {camid}" for dataset, camid in cameras.T)
    return replace(data, domain=domain.reshape(-1), names=names)


def training_batch(
    data: ImageSet, index: np.ndarray, random: np.random.Generator, settings: Augment, device: torch.device
) -> Batch:
    """The indexed images, augmented, as a batch on the device."""
    images = torch.from_numpy(augment(data.views(index), random, settings))
    if device.type == "cuda":
        images = images.pin_memory()  # the copy, as bytes, then overlaps with the step before
    label, camid, domain = (
        torch.from_numpy(column[index]).to(device) for column in (data.label, data.camid, data.domain)
    )
    return Batch(normalise(images.to(device, non_blocking=True)), label, camid, domain)


def normalise(images: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32, channels last in memory."""
    batch, height, width, channels = images.shape
    mean, std = (colour.repeat(width).to(images.device) for colour in (PIXEL_MEAN, PIXEL_STD))
    rows = images.reshape(batch, height, width * channels).to(torch.float32)  # loops over 3 numbers are slow
    return rows.sub_(mean).div_(std).view(images.shape).permute(0, 3, 1, 2)
