"""CUHK02: 1,816 people on a campus, in five pairs of cameras P1 to P5.

P1 is CUHK01, so do not use CUHK01 as a test set beside CUHK02.
Names: `P3/cam2/017_1.png` is person 17 of pair 3, second camera; every pair numbers its people
from 1.
Source: Li and Wang, Locally Aligned Feature Transforms across Views, CVPR 2013.
Licence: academic use only.
Obtain: by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.file_listing import Naming, has_folders, read_folder
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "cuhk02"
COUNTS: Mapping[str, tuple[int, int]] = {
    "all": (1_816, 7_264),
    # Of the pairs: records whose pid // PIDS_PER_PAIR is the pair's number.
    "P1": (971, 3_884),
    "P2": (306, 1_224),
    "P3": (107, 428),
    "P4": (193, 772),
    "P5": (239, 956),
}
PAIRS = ("P1", "P2", "P3", "P4", "P5")
CAMERAS = ("cam1", "cam2")
PIDS_PER_PAIR = 10_000
EXPECTED = Expected(
    "CUHK02",
    "Dataset/P1 to Dataset/P5, or P1 to P5, each with cam1 and cam2",
    "Ask for CUHK02 by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{1,4})_[0-9]+(?i:\.png)"), "001_1.png")


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with P1 to P5 ("flat"), or the one above it with `Dataset` ("dataset").

    Raises:
        DatasetError: Neither is `directory` or below it, a pair or a camera is missing, or there
            are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part: the protocols use no official split.

    The pid is 10,000 x pair + the number in the pair (20017: person 17 of P2), the camid is
    2 x (pair - 1) + (camera - 1).

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, layout = find_root(directory)
    # "dataset": Dataset/P1/cam1; "flat": P1/cam1
    folder = root / "Dataset" if layout == "dataset" else root
    records = [
        ImageRecord(path, pair * PIDS_PER_PAIR + int(match["pid"]), 2 * (pair - 1) + camera, NAME)
        for pair, pair_name in enumerate(PAIRS, start=1)
        for camera, camera_name in enumerate(CAMERAS)
        for path, match in read_folder(folder / pair_name / camera_name, directory, NAMING)
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    flat = any((folder / pair).is_dir() for pair in PAIRS)
    nested = any((folder / "Dataset" / pair).is_dir() for pair in PAIRS)
    if not (flat or nested):
        return None
    if flat and nested:
        raise DatasetError(
            f"{EXPECTED.name}: {folder} holds P1 to P5 both there and in Dataset; remove one copy"
        )
    place = folder / "Dataset" if nested else folder
    lacking = [pair for pair in PAIRS if not has_folders(place / pair, CAMERAS)]
    if lacking:
        raise DatasetError(
            f"{EXPECTED.name}: {place} lacks {', '.join(lacking)} with {' and '.join(CAMERAS)}; "
            "copy all five pairs again"
        )
    return "dataset" if nested else "flat"
