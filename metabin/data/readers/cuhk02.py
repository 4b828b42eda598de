"""CUHK02: 1,816 people on a campus, in five pairs of cameras P1 to P5; P1 is CUHK01, so do not test on that as well.

Names: `P3/cam2/017_1.png` is person 17 of pair 3, second camera; the pairs number their people each from 1.
Source: Li and Wang, Locally Aligned Feature Transforms across Views, CVPR 2013.
Licence: academic use only.
Obtain: by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.file_listing import Naming, Wanted, find_layout, has_folders, read_folder
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "cuhk02"
COUNTS: Mapping[str, tuple[int, int]] = {
    "all": (1_816, 7_264),
    "P1": (971, 3_884),  # of the pairs: records whose pid // PIDS_PER_PAIR is 1
    "P2": (306, 1_224),
    "P3": (107, 428),
    "P4": (193, 772),
    "P5": (239, 956),
}
PAIRS = ("P1", "P2", "P3", "P4", "P5")
CAMERAS = ("cam1", "cam2")
PIDS_PER_PAIR = 10_000
WANTED = Wanted(
    "CUHK02",
    "Dataset/P1 to Dataset/P5, or P1 to P5, each with cam1 and cam2",
    "Ask for CUHK02 by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{1,4})_[0-9]+(?i:\.png)"), "001_1.png")


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder with P1 to P5 ("flat"), or the one above it whose `Dataset` has them ("dataset").

    Raises:
        DatasetError: neither is `directory` or in it, a pair or a camera is missing, or there are two copies.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images, sorted by path, of no part: the data set has no split of its own that the protocols use.

    The pid is 10,000 x pair + the pair's own number (20017: person 17 of P2), the camid 2 x (pair - 1) + (camera - 1).

    Raises:
        DatasetError: the data set is not there or not whole, or it has images that are not its own.
    """
    root, layout = find_root(directory)
    folder = root / "Dataset" if layout == "dataset" else root
    records = [
        ImageRecord(path, pair * PIDS_PER_PAIR + int(match["pid"]), 2 * (pair - 1) + camera, NAME)
        for pair, pair_name in enumerate(PAIRS, start=1)
        for camera, camera_name in enumerate(CAMERAS)
        for path, match in read_folder(folder / pair_name / camera_name, directory, NAMING)
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    flat, nested = (any((place / pair).is_dir() for pair in PAIRS) for place in (folder, folder / "Dataset"))
    if not (flat or nested):
        return None
    if flat and nested:
        raise DatasetError(f"{WANTED.name}: {folder} holds P1 to P5 both there and in Dataset; take one of them away")
    place = folder / "Dataset" if nested else folder
    lacking = [pair for pair in PAIRS if not has_folders(place / pair, CAMERAS)]
    if lacking:
        raise DatasetError(
            f"{WANTED.name}: {place} lacks {', '.join(lacking)} with {' and '.join(CAMERAS)}; copy all five pairs again"
        )
    return "dataset" if nested else "flat"
