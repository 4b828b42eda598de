"""What a fold's sources and its held-out targets have in common, and should not: images, and people.

Images are compared: those that train with those that are tested, see `metabin.data.partition.near_duplicates`. That two data sets
show the same people in different images is known from their owners alone, see `KNOWN_OVERLAPS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metabin.data.partition import near_duplicates
from metabin.data.store import load_image_roots, load_pixels, load_records, num_trials, part_rows

NUM_EXAMPLES = 4  # pairs that are shown of two data sets: those least alike, which a doubt would begin with
KNOWN_OVERLAPS = {
    frozenset({"cuhk01", "cuhk02"}): "the 971 people of CUHK01 are those of CUHK02's first camera pair (P1)",
}
CUHK = ("cuhk01", "cuhk02", "cuhk03", "cuhk_sysu")
CUHK_REMARK = "both are of one university, in part of its campus: the same people may be in both, in other images"


def find_overlaps(directory: Path, manifest: Mapping[str, Any], hashes: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Near-duplicates and known overlaps of every source and every target of a fold, as plain values.

    Args:
        directory: of the partition. hashes: of all images of every domain (`near_duplicates.hash_images`).
    Returns: for each source and target:
        source, target, source_images, target_images: what was compared, and how many images of it
        num_pairs: of near-duplicates
        pids: the target's people in them, whose scores are doubtful
        distractors: rows of the target's distractors in them; they are nobody, and maybe share one pid
        examples: {source, target: where the images are; distance: in bits; correlation}, the least alike first
        overlap: what is known of the people, or "". remark: what is only possible, or "".
    """
    return [
        _compare(directory, manifest, hashes, source, target)
        for source in manifest["sources"]
        for target in manifest["targets"]
    ]


def known_overlap(source: str, target: str) -> str:
    """What people two data sets are known to share; "" if nothing is."""
    return KNOWN_OVERLAPS.get(frozenset({source, target}), "")


def possible_overlap(source: str, target: str) -> str:
    """Why two data sets may share people, where that is not known; "" if nothing speaks for it."""
    return CUHK_REMARK if {source, target} <= set(CUHK) and not known_overlap(source, target) else ""


def _compare(
    directory: Path, manifest: Mapping[str, Any], hashes: Mapping[str, np.ndarray], source: str, target: str
) -> dict[str, Any]:
    rows = part_rows(manifest, source, "train"), _tested_rows(manifest, target)
    pairs = near_duplicates.near_duplicates(hashes[source][rows[0]], hashes[target][rows[1]])
    pairs[:, 0], pairs[:, 1] = rows[0][pairs[:, 0]], rows[1][pairs[:, 1]]
    alike = near_duplicates.correlation(load_pixels(directory, source), load_pixels(directory, target), pairs[:, :2])
    kept = alike >= near_duplicates.MIN_CORRELATION
    pairs, alike = pairs[kept], alike[kept]
    records = load_records(directory, source), load_records(directory, target)
    roots = load_image_roots(directory)
    concerned = [(row, records[1][row]) for row in np.unique(pairs[:, 1]).tolist()]
    return {
        "source": source,
        "target": target,
        "source_images": len(rows[0]),
        "target_images": len(rows[1]),
        "num_pairs": len(pairs),
        "pids": sorted({record.pid for _, record in concerned if not record.distractor}),
        "distractors": [row for row, record in concerned if record.distractor],
        "examples": [
            {
                "source": (roots[source] / records[0][pairs[index, 0]].path).as_posix(),
                "target": (roots[target] / records[1][pairs[index, 1]].path).as_posix(),
                "distance": int(pairs[index, 2]),
                "correlation": round(float(alike[index]), 3),
            }
            for index in np.argsort(alike, kind="stable")[:NUM_EXAMPLES].tolist()
        ],
        "overlap": known_overlap(source, target),
        "remark": possible_overlap(source, target),
    }


def _tested_rows(manifest: Mapping[str, Any], target: str) -> np.ndarray:
    """The rows of a target's query and gallery images, of all its trials, each once."""
    trials = (None, *range(num_trials(manifest, target)))
    rows = [part_rows(manifest, target, part, trial) for trial in trials for part in ("query", "gallery")]
    return np.unique(np.concatenate(rows))
