"""Roles: which identities of a domain train and which are tested, and the manifest of a fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metabin.config import Config
from metabin.data.partition.trials import trials_of
from metabin.data.scorable import target_test
from metabin.errors import DatasetError
from metabin.files import resolve_local
from metabin.types import Domain, DomainSplit, Fold, ImageRecord, Trial

PARTS = ("train", "query", "gallery")


def split_fold(fold: Fold, domains: Mapping[str, Domain], config: Config) -> list[DomainSplit]:
    """Return the role of every image of a fold, sources first.

    Raises:
        DatasetError: A source has too few identities, or a target's splits do not fit.
    """
    num_train_ids = config.partition.num_train_ids
    splits = [split_source(name, domains[name].records, num_train_ids) for name in fold.sources]
    for name in fold.targets:
        records = domains[name].records
        images = resolve_local(domains[name].images)
        trials = trials_of(name, records, images, config.data.splits.get(name))
        splits.append(split_target(name, records, trials))
    return splits


def split_source(
    name: str, records: Sequence[ImageRecord], num_train_ids: int | str
) -> DomainSplit:
    """Split a source: its first identities by pid train, the others are query and gallery.

    The cut follows the pid order, as the official splits of ReID sets do. It leaves the hard
    negatives of the synthetic benchmark together, which are neighbours by pid.

    Args:
        name: Name of the domain.
        records: All of its images.
        num_train_ids: Number of identities that train; "all" to train with every image and keep
            none to test on; "official" for the data set's own split.

    Raises:
        DatasetError: Too few identities are left for the test, or "official" is set for a data set
            without a split.
    """
    people = tuple(record for record in records if not record.distractor)
    if num_train_ids == "all":
        return DomainSplit(name, train=people)
    if num_train_ids == "official":
        return _split_official(name, records)
    pids = sorted({record.pid for record in people})
    if len(pids) < int(num_train_ids) + 2:
        raise DatasetError(
            f"domain {name} has {len(pids)} identities; partition.num_train_ids = {num_train_ids} "
            f"must leave at least 2 for the test, so use at most {max(len(pids) - 2, 0)}"
        )
    train_pids = set(pids[: int(num_train_ids)])
    train = tuple(record for record in people if record.pid in train_pids)
    test = tuple(record for record in people if record.pid not in train_pids)
    return DomainSplit(name, train=train, query=test, gallery=test)


def split_target(
    name: str, records: Sequence[ImageRecord], trials: Sequence[Trial] = ()
) -> DomainSplit:
    """Return a domain in the role of a held-out target.

    Args:
        name: Name of the domain.
        records: All of its images.
        trials: Query and gallery of each random split. Without any, the test is
            `scorable.target_test`: the official query and gallery, or every image against all.
    """
    if trials:
        return DomainSplit(name, trials=tuple(trials))
    query, gallery = target_test(records)
    return DomainSplit(name, query=query, gallery=gallery)


def manifest(
    fold: Fold,
    splits: Sequence[DomainSplit],
    domains: Mapping[str, Domain],
    digests: Mapping[str, str],
) -> dict[str, Any]:
    """Return a fold as plain values.

    They hold, by domain, its role, fingerprint and digest, and the count and the rows of each
    part. Rows are half-open ranges [start, stop) into the domain's records.
    """
    entries = {}
    for split in splits:
        domain = domains[split.name]
        row_of = {record.path: index for index, record in enumerate(domain.records)}
        parts = {part: getattr(split, part) for part in PARTS}
        entry: dict[str, Any] = {
            "role": "target" if split.name in fold.targets else "source",
            "fingerprint": domain.fingerprint,
            "sha256": digests[split.name],
            "counts": {part: _counts(images) for part, images in parts.items()},
            "rows": {part: _row_ranges(images, row_of) for part, images in parts.items()},
        }
        if split.trials:
            entry["trials"] = [
                {"query": _row_ranges(query, row_of), "gallery": _row_ranges(gallery, row_of)}
                for query, gallery in split.trials
            ]
        entries[split.name] = entry
    return {
        "fold": fold.name,
        "sources": list(fold.sources),
        "targets": list(fold.targets),
        "domains": entries,
    }


def _split_official(name: str, records: Sequence[ImageRecord]) -> DomainSplit:
    train, query, gallery = (
        tuple(record for record in records if record.part == part) for part in PARTS
    )
    if not train:
        raise DatasetError(
            f"domain {name} has no official split; set partition.num_train_ids to a number or to "
            "all"
        )
    return DomainSplit(name, train, query, gallery)


def _counts(images: Sequence[ImageRecord]) -> dict[str, int]:
    return {
        "ids": len({record.pid for record in images}),
        "images": len(images),
        "cameras": len({record.camid for record in images}),
    }


def _row_ranges(images: Sequence[ImageRecord], row_of: Mapping[str, int]) -> list[list[int]]:
    """Return the rows of images, in their order, as half-open ranges."""
    ranges: list[list[int]] = []
    # A manifest of ranges is short enough to read: most parts are a few runs of records.
    for record in images:
        row = row_of[record.path]
        if ranges and ranges[-1][1] == row:
            ranges[-1][1] = row + 1
        else:
            ranges.append([row, row + 1])
    return ranges
