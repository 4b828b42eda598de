"""Training images mapped into memory, and batches of them as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metabin.config import Augment
from metabin.data.batches.amplitude import draw_mixtures, mix_amplitudes
from metabin.data.batches.augmentation import augment, draw_changes
from metabin.data.store import load_domain, part_rows
from metabin.errors import ConfigError
from metabin.types import Batch

# Means and deviations of ImageNet's RGB in 0..255, as for every backbone's pretrained weights.
PIXEL_MEAN = torch.tensor([123.675, 116.28, 103.53])
PIXEL_STD = torch.tensor([58.395, 57.12, 57.375])


@dataclass(frozen=True, slots=True)
class ImageSet:
    """N images of one part of one or several domains.

    `label` counts the identities from 0 over all domains.
    """

    pixels: tuple[np.ndarray, ...]  # per data set, (n, H, W, 3) uint8, mapped from disk
    dataset: np.ndarray  # (N,) index into `pixels`
    row: np.ndarray  # (N,) into the data set's pixels
    domain: np.ndarray  # (N,) into `names`: data set, or camera after `cameras_as_domains`
    pid: np.ndarray  # (N,) as the data set counts
    camid: np.ndarray  # (N,)
    label: np.ndarray  # (N,)
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def num_classes(self) -> int:
        """Return the number of identities."""
        return int(self.label.max()) + 1

    def images(self, index: np.ndarray) -> np.ndarray:
        """Return the pixels of the indexed images, (B, H, W, 3) uint8; B may be 0."""
        if not len(index):
            return np.empty((0, *self.pixels[0].shape[1:]), np.uint8)
        return np.stack(self.views(index))

    def views(self, index: np.ndarray) -> list[np.ndarray]:
        """Return the indexed images as views of the mapped files, (H, W, 3) uint8 each."""
        return [self.pixels[self.dataset[i]][self.row[i]] for i in index]


def load_part(
    directory: Path,
    manifest: Mapping[str, Any],
    domains: tuple[str, ...],
    part: str,
    trial: int | None = None,
) -> ImageSet:
    """Return the images of one part of some domains of a fold.

    Args:
        directory: Folder of the partition.
        manifest: Manifest of the fold.
        domains: Names of the domains.
        part: "train", "query" or "gallery".
        trial: Number of the trial, from 0; None for a fixed test.

    Raises:
        DatasetError: A file of a domain is missing.
        StageFileError: A file of a domain is damaged.
    """
    columns: list[tuple[int, int, int, int, int]] = []
    identities: dict[tuple[int, int], int] = {}
    pixels: list[np.ndarray] = []
    for index, name in enumerate(domains):
        records, images = load_domain(directory, name)
        pixels.append(images)
        for row in part_rows(manifest, name, part, trial).tolist():
            record = records[row]
            label = identities.setdefault((index, record.pid), len(identities))
            columns.append((row, index, record.pid, record.camid, label))
    row, domain, pid, camid, label = np.array(columns, np.int64).reshape(-1, 5).T
    return ImageSet(
        pixels=tuple(pixels),
        dataset=domain,
        row=row,
        domain=domain,
        pid=pid,
        camid=camid,
        label=label,
        names=domains,
    )


def cameras_as_domains(data: ImageSet) -> ImageSet:
    """Return the same images with every camera of every data set as a domain.

    The labels stay: an identity can be in several of these domains. Source: the reference's setting
    CAMERA_TO_DOMAIN, for training on a single data set.
    """
    pairs = np.stack([data.dataset, data.camid])
    cameras, domain = np.unique(pairs, axis=1, return_inverse=True)
    names = tuple(f"{data.names[dataset]}/camera {camid}" for dataset, camid in cameras.T)
    return replace(data, domain=domain.reshape(-1), names=names)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of every batch that one rank computes on: see `metabin.model.distributed`.

    A rank gets whole identities, and as many of each domain as every other rank: batches list the
    domains in order, and identity g goes to rank g mod R.

    Args:
        rank: from 0.
        num_ranks: R.
        num_images: K, images of an identity.
    """

    rank: int = 0
    num_ranks: int = 1
    num_images: int = 1

    def order(self, size: int) -> np.ndarray:
        """Return the positions of a batch of `size` images, those of the first rank first."""
        positions = np.arange(size)
        if self.num_ranks == 1:
            return positions
        by_rank = positions.reshape(-1, self.num_ranks, self.num_images).transpose(1, 0, 2)
        return by_rank.ravel()

    def own(self, order: np.ndarray) -> np.ndarray:
        """Return the part of this rank of positions in that order."""
        return np.split(order, self.num_ranks)[self.rank]

    def check(self, name: str, num_ids: int) -> None:
        """Check that identities can be divided among the ranks.

        Args:
            name: of the parameter with their number.
            num_ids: identities of a batch, or of each domain in one.
        Raises:
            ConfigError: they cannot.
        """
        if num_ids % self.num_ranks:
            raise ConfigError(
                f"{name} is {num_ids}, which {self.num_ranks} ranks (compute.devices x "
                f"compute.nodes) cannot share equally; make it a multiple of {self.num_ranks}, "
                "or use fewer devices"
            )


WHOLE = Share()


@dataclass(frozen=True, slots=True)
class HostBatch:
    """An augmented batch in the memory of the host, as bytes."""

    pixels: Tensor  # (V * B, H, W, 3) uint8 of V views; of several ranks, (V * B / R, H, W, 3)
    columns: Tensor  # (3, B) int64: label, camid and domain
    num_views: int = 1  # V

    def pin(self) -> HostBatch:
        """Return the batch in page-locked memory, which a CUDA device copies by itself."""
        return HostBatch(self.pixels.pin_memory(), self.columns.pin_memory(), self.num_views)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on the device, normalised.

        The host does not wait for the copy if the memory is pinned.
        """
        images = normalise(self.pixels.to(device, non_blocking=True))
        label, camid, domain = self.columns.to(device, non_blocking=True)
        return Batch(images, label, camid, domain, self.num_views)


def load_batch(
    data: ImageSet,
    index: np.ndarray,
    random: np.random.Generator,
    settings: Augment,
    share: Share = WHOLE,
) -> HostBatch:
    """Return the indexed images, augmented, with their labels, cameras and domains.

    Args:
        share: the part of the batch whose images are returned. Labels, cameras and domains are
            those of the whole batch, in the order of the ranks.
    """
    _, height, width, _ = data.pixels[0].shape
    changes = draw_changes(len(index), height, width, random, settings)
    order = share.order(len(index))
    own = share.own(order)
    pixels = augment(data.views(index[own]), [changes[position] for position in own])
    if settings.amplitude_mix:
        partners, shares = draw_mixtures(len(index), random, settings.amplitude_mix)
        pixels = mix_amplitudes(pixels, data.images(index[partners[own]]), shares[own])
    index = index[order]
    columns = np.stack([data.label[index], data.camid[index], data.domain[index]])
    return HostBatch(torch.from_numpy(pixels), torch.from_numpy(columns))


def load_two_views(
    data: ImageSet,
    index: np.ndarray,
    usual: np.random.Generator,
    strong: np.random.Generator,
    settings: Augment,
    share: Share = WHOLE,
) -> HostBatch:
    """Return the indexed images twice, with the usual augmentation and with all of the settings.

    Args:
        usual, strong: the random numbers of each view.
        share: as of `load_batch`.
    """
    first = load_batch(data, index, usual, settings.usual(), share)
    second = load_batch(data, index, strong, settings, share)
    return HostBatch(torch.cat([first.pixels, second.pixels]), first.columns, num_views=2)


def normalise(images: Tensor) -> Tensor:
    """Return images as floats with the mean 0 and the deviation 1 of ImageNet, channels last.

    Shapes: (B, H, W, 3) uint8 -> (B, 3, H, W) float32.
    """
    batch, height, width, channels = images.shape
    mean, std = _statistics_of_row(width, images.device)
    rows = images.reshape(batch, height, width * channels).to(torch.float32)
    return rows.sub_(mean).div_(std).view(images.shape).permute(0, 3, 1, 2)


@cache
def _statistics_of_row(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the mean and the deviation of every number in a row of pixels, (width * 3,) each.

    They are repeated because a loop over 3 numbers is slow, and cached because the host waits for
    their copy to the device.
    """
    return PIXEL_MEAN.repeat(width).to(device), PIXEL_STD.repeat(width).to(device)
