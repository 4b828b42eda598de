"""Which images make a batch: P identities with K images each.

Both samplers cut the images of an identity into groups of K once per epoch: shuffled, and padded to a multiple
of K with repeated images. An identity with fewer than K images gets one group of K draws with replacement, as in
the reference, so that such a group need not show each of its images. Both run for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from metabin.data.batches.meta_domains import check_identities
from metabin.errors import DatasetError
from metabin.seeding import generator


@dataclass(frozen=True, slots=True)
class IdentitySampler:
    """Base batches: P distinct identities drawn evenly over all domains, K images of each.

    An epoch draws identities among those that still have groups, and ends when fewer than P of them are left.

    Args:
        label: (N,) of every training image. num_ids: P. num_images: K. seed: of this sampler alone.
    Raises:
        DatasetError: fewer than P identities.
    Source: the reference's NaiveIdentitySampler.
    """

    label: np.ndarray
    num_ids: int
    num_images: int
    seed: int

    def __post_init__(self) -> None:
        if (found := len(np.unique(self.label))) < self.num_ids:
            raise DatasetError(
                f"optim.ids_per_batch asks for {self.num_ids} identities a batch, but the sources have "
                f"{found} training identities in all; lower it or raise partition.num_train_ids"
            )

    def __iter__(self) -> Iterator[np.ndarray]:
        """Index arrays of shape (P * K,)."""
        epoch = 0
        while True:
            random = generator(self.seed, "epoch", epoch)
            groups = _groups(self.label, self.num_images, random)
            while len(groups) >= self.num_ids:
                chosen = random.choice(sorted(groups), self.num_ids, replace=False)
                yield np.concatenate([_take(groups, int(label)) for label in chosen])
            epoch += 1


@dataclass(frozen=True, slots=True)
class DomainSampler:
    """Meta batches: the same number of identities from every domain, K images of each, domains in order.

    A domain that runs out of identities is refilled by itself, so that small domains are seen more often. An epoch ends
    when every domain has run out once; then all are cut and shuffled anew.

    Args:
        label, domain: (N,) of every training image. num_ids: identities per domain. num_images: K.
    Raises:
        DatasetError: fewer than two domains, or a domain with fewer identities than asked for.
    Source: the reference's DomainSuffleSampler.
    """

    label: np.ndarray
    domain: np.ndarray
    num_ids: int
    num_images: int
    seed: int
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        identities = {}
        for index in np.unique(self.domain).tolist():
            name = self.names[index] if self.names else f"number {index}"
            identities[name] = len(np.unique(self.label[self.domain == index]))
        check_identities(identities, self.num_ids)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Index arrays of shape (domains * num_ids * K,)."""
        epoch = 0
        while True:
            yield from self._epoch(generator(self.seed, "epoch", epoch))
            epoch += 1

    def _epoch(self, random: np.random.Generator) -> Iterator[np.ndarray]:
        rows = {index: np.flatnonzero(self.domain == index) for index in np.unique(self.domain).tolist()}
        groups = {index: _groups(self.label[found], self.num_images, random, found) for index, found in rows.items()}
        run_out: set[int] = set()
        while len(run_out) < len(rows):
            batch = []
            for index, found in rows.items():
                chosen = random.choice(sorted(groups[index]), self.num_ids, replace=False)
                batch += [_take(groups[index], int(label)) for label in chosen]
                if len(groups[index]) < self.num_ids:
                    groups[index] = _groups(self.label[found], self.num_images, random, found)
                    run_out.add(index)
            yield np.concatenate(batch)


def epoch_steps(label: np.ndarray, num_ids: int, num_images: int) -> int:
    """Iterations of an epoch of base batches of P identities x K images, at least 1.

    With S the images after padding each identity to a multiple of K and B = P * K: (S - S mod B - B) / B. That is one
    batch less than an epoch can have; the reference counts its epochs by it.
    """
    counts = np.unique(label, return_counts=True)[1]
    padded = int((-(-counts // num_images) * num_images).sum())
    return max(padded // (num_ids * num_images) - 1, 1)


def _groups(
    label: np.ndarray, num_images: int, random: np.random.Generator, rows: np.ndarray | None = None
) -> dict[int, list[np.ndarray]]:
    """Per label its images in shuffled groups of `num_images`, repeating images to fill the last group.

    Args:
        label: (n,) of the images. rows: (n,) what stands for them in the groups; by default 0 to n - 1.
    """
    groups = {}
    for value in np.unique(label):
        images = np.flatnonzero(label == value)
        if len(images) < num_images:
            padded = random.choice(images, num_images, replace=True)
        else:
            padded = np.concatenate([images, random.choice(images, -len(images) % num_images, replace=False)])
        padded = random.permutation(padded)
        padded = padded if rows is None else rows[padded]
        groups[int(value)] = list(padded.reshape(-1, num_images))
    return groups


def _take(groups: dict[int, list[np.ndarray]], label: int) -> np.ndarray:
    """Remove and return one group of a label; a label without groups leaves."""
    group = groups[label].pop()
    if not groups[label]:
        del groups[label]
    return group
