"""PersonX: 1,266 rendered people from 36 sides before six backgrounds, three of them plain.

Names: `1/bounding_box_train/0004_c1s1_01.jpg` is person 4, camera 1 of background 1, sequence 1,
image 1. The authors' smaller "more challenging subset" has the three parts once, with cameras 3, 4,
8, 10, 11 and 12.
Source: Sun and Zheng, Dissecting Person Re-identification from the Viewpoint of Viewpoint, CVPR
2019.
Licence: MIT (the authors' repository). The images show no real person.
Obtain: no form; PersonX_v1 on Google Drive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, image_files
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.data.readers.market_layout import (
    CONTENTS,
    FOLDERS,
    has_parts,
    read_parts,
    require_disjoint,
)
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "personx"
BACKGROUNDS = ("1", "2", "3", "4", "5", "6")


def _counts(num_backgrounds: int) -> Mapping[str, tuple[int, int]]:
    """Return the counts of some backgrounds, which all have the same people, 36 images each.

    410 people train and 856 are tested; the gallery has the queries, too. Source: the number of
    images per folder in https://github.com/yxgeee/SpCL/issues/8, which are 36 x 410, 856 and 36 x
    856.
    """
    return {
        "train": (410, 14_760 * num_backgrounds),
        "query": (856, 856 * num_backgrounds),
        "gallery": (856, 30_816 * num_backgrounds),
        "all": (1_266, 46_432 * num_backgrounds),
    }


COUNTS: Mapping[str, Mapping[str, tuple[int, int]]] = {  # by find_root's layout
    **{
        f"{form}-{number}": _counts(number)
        for form in ("backgrounds", "flat")
        for number in range(1, 7)
    },
    # Source: spcl/datasets/personx.py of https://github.com/yxgeee/SpCL.
    "subset": {
        "train": (410, 9_840),
        "query": (856, 5_136),
        "gallery": (856, 30_816),
        "all": (1_266, 45_792),
    },
}
EXCLUDED = 0  # a copy of person 1 that starts the rendering
ARCHIVE = Archive(
    "PersonX_v1.zip",
    "https://drive.google.com/file/d/17QlzY6ai84SkrCmCOzemPMx9FjWyBPW8/view",
    "MIT",
    max_bytes=64 << 30,
)
EXPECTED = Expected(
    "PersonX",
    f"folders 1 to 6, each with {CONTENTS}, or these three themselves",
    f"Get it with `python -m stages.download --domain {NAME}`, or from {ARCHIVE.url}",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{4})_c(?P<camera>[0-9]{1,2})s[0-9]_[0-9]{2}(?i:\.jpg)"),
    "0001_c1s1_01.jpg",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the root, which is `directory` or below it, and its layout.

    The layout is "backgrounds-6" for a folder with the backgrounds 1 to 6, or fewer of them
    ("backgrounds-2"); "flat-1" for the three parts of one background, "flat-6" if they hold six;
    "subset" for those of the subset.

    Raises:
        DatasetError: The data set is missing, one of the parts is missing, or there are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images except those of person 0, sorted by path; the pid is the data set's number.

    The camid numbers the existing pairs (background, camera), in order.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, layout = find_root(directory)
    # backgrounds-*: 1/bounding_box_train ...; flat-* and subset: bounding_box_train ...
    backgrounds = _backgrounds(root) if layout.startswith("backgrounds") else ["."]
    images = [
        (part, path, int(match["pid"]), (background, int(match["camera"])))
        for background in backgrounds
        for part, path, match in read_parts(root / background, directory, NAMING)
    ]
    # camid = rank of the pair (background, camera)
    cameras = sorted({camera for *_, camera in images})
    camids = {camera: camid for camid, camera in enumerate(cameras)}
    records = [
        ImageRecord(path, pid, camids[camera], NAME, part)
        for part, path, pid, camera in images
        if pid != EXCLUDED
    ]
    require_disjoint(records, root, EXPECTED)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    if not (backgrounds := _backgrounds(folder)):
        return _flat_layout(folder) if has_parts(folder, NAMING, EXPECTED) else None
    lacking = [name for name in backgrounds if not has_parts(folder / name, NAMING, EXPECTED)]
    if lacking and len(lacking) < len(backgrounds):
        raise DatasetError(
            f"PersonX: {', '.join(lacking)} of {folder} lack {CONTENTS}; unpack them again"
        )
    return None if lacking else f"backgrounds-{len(backgrounds)}"


def _flat_layout(folder: Path) -> str:
    """Return "subset" if a camera of the subset occurs, else the number of backgrounds."""
    names = image_files(folder / FOLDERS["query"])
    matches = [match for name in names if (match := NAMING.pattern.fullmatch(name))]
    cameras = {int(match["camera"]) for match in matches}
    if cameras - {int(name) for name in BACKGROUNDS}:
        return "subset"
    return f"flat-{max(1, len(cameras))}"


def _backgrounds(folder: Path) -> list[str]:
    return [name for name in BACKGROUNDS if (folder / name).is_dir()]
