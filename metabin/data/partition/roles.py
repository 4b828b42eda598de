"""Which identities train and which test, in each role of a domain; and the manifest that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metabin.config import Config
from metabin.data.partition.trials import trials_of
from metabin.data.scorable import target_test
from metabin.errors import DatasetError
from metabin.files import resolve_local
from metabin.types import Domain, DomainSplit, Fold, ImageRecord

PARTS = ("train", "query", "gallery")
Trial = tuple[Sequence[ImageRecord], Sequence[ImageRecord]]  # query and gallery


def split_fold(fold: Fold, domains: Mapping[str, Domain], config: Config) -> list[DomainSplit]:
    """Return the role of every image of a fold, sources first.

    Raises:
        DatasetError: a source has too few identities, or a target's splits do not fit.
    """
    splits = [split_source(name, domains[name].records, config.partition.num_train_ids) for name in fold.sources]
    for name in fold.targets:
        records, images = domains[name].records, resolve_local(domains[name].images)
        trials = trials_of(name, records, images, config.data.splits.get(name))
        splits.append(split_target(name, records, trials))
    return splits


def split_source(name: str, records: Sequence[ImageRecord], num_train_ids: int | str) -> DomainSplit:
    """A domain in the role of a source: its first identities by pid train, the others are query and gallery.

    The cut follows the pid order, as the official splits of ReID sets do, and leaves the benchmark's hard negatives
    (neighbours by pid) together. With "all" every image trains and nothing is left to test on.

    Raises:
        DatasetError: too few identities are left for the test, or "official" where the data set has no split.
    """
    people = tuple(record for record in records if not record.distractor)
    if num_train_ids == "all":
        return DomainSplit(name, train=people)
    if num_train_ids == "official":
        split = _official(name, records)
        if not split.train:
            raise DatasetError(
                f"domain {name} has no official split; set partition.num_train_ids to a number or to all"
            )
        return split
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


def split_target(name: str, records: Sequence[ImageRecord], trials: Sequence[Trial] = ()) -> DomainSplit:
    """A domain in the role of a held-out target.

    With `trials`, each query and gallery, as they say. Else the official query and gallery where there are some. Else
    every image is a query against all the others.
    """
    if trials:
        return DomainSplit(name, trials=tuple((tuple(query), tuple(gallery)) for query, gallery in trials))
    query, gallery = target_test(records)
    return DomainSplit(name, query=query, gallery=gallery)


def _official(name: str, records: Sequence[ImageRecord]) -> DomainSplit:
    train, query, gallery = (tuple(record for record in records if record.part == part) for part in PARTS)
    return DomainSplit(name, train, query, gallery)


def manifest(
    fold: Fold, splits: Sequence[DomainSplit], domains: Mapping[str, Domain], digests: Mapping[str, str]
) -> dict[str, Any]:
    """A fold as plain values: per domain its role, fingerprint and digest, and the count and the rows of each part.

    Rows are half-open ranges [start, stop) into the domain's records.
    """
    entries = {}
    for split in splits:
        row = {record.path: index for index, record in enumerate(domains[split.name].records)}
        parts = {part: getattr(split, part) for part in PARTS}
        entries[split.name] = {
            "role": "target" if split.name in fold.targets else "source",
            "fingerprint": domains[split.name].fingerprint,
            "sha256": digests[split.name],
            "counts": {part: _counts(images) for part, images in parts.items()},
            "rows": {part: _to_ranges([row[record.path] for record in images]) for part, images in parts.items()},
        }
        if split.trials:
            entries[split.name]["trials"] = [
                {
                    part: _to_ranges([row[record.path] for record in images])
                    for part, images in zip(PARTS[1:], trial, strict=True)
                }
                for trial in split.trials
            ]
    return {"fold": fold.name, "sources": list(fold.sources), "targets": list(fold.targets), "domains": entries}


def _counts(images: Sequence[ImageRecord]) -> dict[str, int]:
    return {
        "ids": len({record.pid for record in images}),
        "images": len(images),
        "cameras": len({record.camid for record in images}),
    }


def _to_ranges(rows: Sequence[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for row in rows:
        if ranges and ranges[-1][1] == row:
            ranges[-1][1] = row + 1
        else:
            ranges.append([row, row + 1])
    return ranges
