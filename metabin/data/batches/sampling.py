"""Samplers: batches of P identities with K images each.

Both samplers divide the images of an identity into groups of K once per epoch: shuffled, and padded
to a multiple of K with repeated images. An identity with fewer than K images gets one group of K
draws with replacement, as in the reference, so that such a group need not show each of its images.
Both run forever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from metabin.data.batches.meta_domains import check_identities
from metabin.errors import DatasetError
from metabin.seeding import generator

Groups = dict[int, list[np.ndarray]]  # label -> groups of K rows that are left in this epoch


@dataclass(frozen=True, slots=True)
class IdentitySampler:
    """Base batches: P distinct identities drawn evenly over all domains, K images of each.

    An epoch draws identities among those that still have groups. It ends when fewer than P of them
    are left. Source: the reference's NaiveIdentitySampler.

    Attributes:
        label: (N,) label of every training image.
        num_ids: P.
        num_images: K.
        seed: Seed of this sampler alone.

    Raises:
        DatasetError: There are fewer than P identities.
    """

    label: np.ndarray
    num_ids: int
    num_images: int
    seed: int

    def __post_init__(self) -> None:
        num_identities = len(np.unique(self.label))
        if num_identities < self.num_ids:
            raise DatasetError(
                f"optim.ids_per_batch asks for {self.num_ids} identities per batch, but the "
                f"sources have {num_identities} training identities in all; lower it or raise "
                "partition.num_train_ids"
            )

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield index arrays of shape (P * K,)."""
        epoch = 0
        while True:
            random = generator(self.seed, "epoch", epoch)
            groups = _make_groups(self.label, self.num_images, random)
            while len(groups) >= self.num_ids:
                labels = random.choice(sorted(groups), self.num_ids, replace=False)
                yield np.concatenate([_pop_group(groups, int(label)) for label in labels])
            epoch += 1


@dataclass(frozen=True, slots=True)
class DomainSampler:
    """Meta batches: as many identities from every domain, K images of each, domains in order.

    A domain that runs out of identities is refilled by itself, so that small domains are seen more
    often. An epoch ends when every domain has run out once; then all domains start anew. Source:
    the reference's DomainSuffleSampler.

    Attributes:
        label: (N,) label of every training image.
        domain: (N,) domain of every training image.
        num_ids: Identities per domain.
        num_images: K.
        seed: Seed of this sampler alone.
        names: Names of the domains, for messages.

    Raises:
        DatasetError: There are fewer than two domains, or a domain has fewer than `num_ids`
            identities.
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
        """Yield index arrays of shape (domains * num_ids * K,)."""
        epoch = 0
        while True:
            yield from self._epoch(generator(self.seed, "epoch", epoch))
            epoch += 1

    def _epoch(self, random: np.random.Generator) -> Iterator[np.ndarray]:
        rows_of = {
            index: np.flatnonzero(self.domain == index) for index in np.unique(self.domain).tolist()
        }
        groups_of = {index: self._refill(rows, random) for index, rows in rows_of.items()}
        exhausted: set[int] = set()
        while len(exhausted) < len(rows_of):
            batch = []
            for index, rows in rows_of.items():
                groups = groups_of[index]
                labels = random.choice(sorted(groups), self.num_ids, replace=False)
                batch += [_pop_group(groups, int(label)) for label in labels]
                if len(groups) < self.num_ids:
                    groups_of[index] = self._refill(rows, random)
                    exhausted.add(index)
            yield np.concatenate(batch)

    def _refill(self, rows: np.ndarray, random: np.random.Generator) -> Groups:
        """Return groups of all images of one domain."""
        groups = _make_groups(self.label[rows], self.num_images, random)
        return {label: [rows[group] for group in parts] for label, parts in groups.items()}


def epoch_steps(label: np.ndarray, num_ids: int, num_images: int) -> int:
    """Return the iterations of an epoch of base batches of P identities x K images, at least 1.

    With S the images after padding each identity to a multiple of K, and B = P * K, it is
    (S - S mod B - B) / B = floor(S / B) - 1. That is one batch less than an epoch can have; the
    reference counts its epochs so.
    """
    counts = np.unique(label, return_counts=True)[1]
    padded = int((-(-counts // num_images) * num_images).sum())  # -(-a // b) rounds up
    return max(padded // (num_ids * num_images) - 1, 1)


def _make_groups(label: np.ndarray, num_images: int, random: np.random.Generator) -> Groups:
    """Return, per label, its rows in shuffled groups of `num_images`, padded by repetition."""
    # sorted once: a search for the rows of each label would take time with the labels' square
    order = np.argsort(label, kind="stable")
    labels, starts = np.unique(label[order], return_index=True)
    groups = {}
    for value, rows in zip(labels.tolist(), np.split(order, starts[1:]), strict=True):
        if len(rows) < num_images:
            padded = random.choice(rows, num_images, replace=True)
        else:
            num_missing = -len(rows) % num_images
            padded = np.concatenate([rows, random.choice(rows, num_missing, replace=False)])
        groups[value] = list(random.permutation(padded).reshape(-1, num_images))
    return groups


def _pop_group(groups: Groups, label: int) -> np.ndarray:
    """Remove and return one group of a label; remove a label without groups."""
    group = groups[label].pop()
    if not groups[label]:
        del groups[label]
    return group
