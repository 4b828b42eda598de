"""Overlap of a fold's sources with its held-out targets: the same images, or the same people.

Images that train are compared with those that are tested, see
`metabin.data.partition.near_duplicates`. Two data sets may also show the same people in different
images. That is known only from their owners, see `KNOWN_OVERLAPS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metabin.data.partition import near_duplicates
from metabin.data.store import (
    load_image_roots,
    load_pixels,
    load_records,
    num_trials,
    part_rows,
)

NUM_EXAMPLES = 4  # pairs per source and target in the report: the least alike, most likely wrong
KNOWN_OVERLAPS = {
    frozenset({"cuhk01", "cuhk02"}): (
        "the 971 people of CUHK01 are those of CUHK02's first camera pair (P1)"
    ),
}
CUHK = ("cuhk01", "cuhk02", "cuhk03", "cuhk_sysu")
POSSIBLE_CUHK_OVERLAP = (
    "both are of one university, in part of its campus: the same people may be in both, in other "
    "images"
)


def hash_domains(directory: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the hashes of all images of every domain.

    Args:
        directory: Folder of the partition.
        names: Names of the domains.
    """
    return {name: near_duplicates.hash_images(load_pixels(directory, name)) for name in names}


def find_overlaps(
    directory: Path, manifest: Mapping[str, Any], hashes: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Compare every source with every target of a fold; return the overlaps as plain values.

    Args:
        directory: Folder of the partition.
        manifest: Manifest of the fold.
        hashes: See `hash_domains`.

    Returns:
        For each source and target a dictionary with the keys
            source: name of the source
            target: name of the target
            source_images: number of images that train
            target_images: number of images that are tested
            num_pairs: number of near-duplicates
            pids: the target's people in near-duplicates, whose scores are doubtful
            distractors: rows of the target's distractors in near-duplicates; not their pids, since
                all distractors may share one
            examples: the least alike pairs first, each with the paths `source` and `target`, the
                `distance` in bits and the `correlation`
            known_overlap: see `known_overlap`
            possible_overlap: see `possible_overlap`
    """
    return [
        _compare(directory, manifest, hashes, source, target)
        for source in manifest["sources"]
        for target in manifest["targets"]
    ]


def known_overlap(source: str, target: str) -> str:
    """Return which people two data sets are known to share; "" without any."""
    return KNOWN_OVERLAPS.get(frozenset({source, target}), "")


def possible_overlap(source: str, target: str) -> str:
    """Return why two data sets may share people, if that is not known; "" without a reason."""
    if {source, target} <= set(CUHK) and not known_overlap(source, target):
        return POSSIBLE_CUHK_OVERLAP
    return ""


def _compare(
    directory: Path,
    manifest: Mapping[str, Any],
    hashes: Mapping[str, np.ndarray],
    source: str,
    target: str,
) -> dict[str, Any]:
    train_rows = part_rows(manifest, source, "train")
    test_rows = _test_rows(manifest, target)
    candidates = near_duplicates.near_duplicates(
        hashes[source][train_rows], hashes[target][test_rows]
    )
    # From positions among the compared images to rows of the domains.
    candidates[:, 0] = train_rows[candidates[:, 0]]
    candidates[:, 1] = test_rows[candidates[:, 1]]
    correlation = near_duplicates.correlation(
        load_pixels(directory, source), load_pixels(directory, target), candidates[:, :2]
    )
    is_confirmed = correlation >= near_duplicates.MIN_CORRELATION
    pairs = candidates[is_confirmed]
    # The records of all target images in a pair, which decide whose scores are doubtful.
    target_records = load_records(directory, target)
    affected = [(row, target_records[row]) for row in np.unique(pairs[:, 1]).tolist()]
    return {
        "source": source,
        "target": target,
        "source_images": len(train_rows),
        "target_images": len(test_rows),
        "num_pairs": len(pairs),
        "pids": sorted({record.pid for _, record in affected if not record.distractor}),
        "distractors": [row for row, record in affected if record.distractor],
        "examples": _examples(directory, (source, target), pairs, correlation[is_confirmed]),
        "known_overlap": known_overlap(source, target),
        "possible_overlap": possible_overlap(source, target),
    }


def _examples(
    directory: Path, names: tuple[str, str], pairs: np.ndarray, correlation: np.ndarray
) -> list[dict[str, Any]]:
    """Return the pairs that are least alike, as plain values.

    Args:
        directory: Folder of the partition.
        names: Source and target.
        pairs: (P, 3) row of the source, row of the target, distance in bits.
        correlation: (P,).
    """
    roots = load_image_roots(directory)
    source, target = names
    source_records = load_records(directory, source)
    target_records = load_records(directory, target)

    return [
        {
            "source": (roots[source] / source_records[pairs[index, 0]].path).as_posix(),
            "target": (roots[target] / target_records[pairs[index, 1]].path).as_posix(),
            "distance": int(pairs[index, 2]),
            "correlation": round(float(correlation[index]), 3),
        }
        for index in np.argsort(correlation, kind="stable")[:NUM_EXAMPLES].tolist()
    ]


def _test_rows(manifest: Mapping[str, Any], target: str) -> np.ndarray:
    """Return the rows of a target's query and gallery images in all its trials, each once."""
    trials = (None, *range(num_trials(manifest, target)))
    rows = [
        part_rows(manifest, target, part, trial)
        for trial in trials
        for part in ("query", "gallery")
    ]
    return np.unique(np.concatenate(rows))
