"""VIPeR: 632 people, each seen once by camera a and once by camera b, 128 x 48 pixels.

Names: `cam_a/000_45.bmp` is person 0 at an angle of 45 degrees; the numbers go up to 873, with
gaps. The PNG copies that come with the reference's splits are called `p000_c1_d045.png`.
Source: Gray, Brennan and Tao, Evaluating appearance models for recognition, reacquisition, and
tracking, PETS 2007.
Licence: free for research.
Obtain: no form; http://users.soe.ucsc.edu/~manduchi/VIPeR.v1.0.zip, often down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, first_names, read_folder
from metabin.data.readers.folder_layout import has_all
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "viper"
COUNTS: Mapping[str, tuple[int, int]] = {"all": (632, 1_264)}
CAMERAS = ("cam_a", "cam_b")
FIRST_SPLIT = "split_1a"
ROLES = ("train", "query", "gallery")
ARCHIVE = Archive(
    "VIPeR.v1.0.zip",
    "http://users.soe.ucsc.edu/~manduchi/VIPeR.v1.0.zip",
    "free for research",
    "md5:1c2d9fc1cc800332567a0da25a1ce68c",
)
EXPECTED = Expected(
    "VIPeR",
    "cam_a and cam_b with .bmp images, or split_1a with train, query and gallery",
    f"Get it with `python -m stages.download --domain {NAME}`; if {ARCHIVE.url} is down, ask the "
    f"authors for {ARCHIVE.file}",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{3})_[0-9]+(?i:\.bmp)"), "000_45.bmp")
SPLIT_NAMING = Naming(
    re.compile(r"p(?P<pid>[0-9]{3})_c(?P<camera>[12])_d[0-9]{3}(?i:\.png)"),
    "p000_c1_d045.png",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with cam_a and cam_b ("cameras") or, without these, split_1a ("splits").

    It is `directory` or below it. The folders train, query and gallery of split_1a hold every image
    once; the other splits repeat them.

    Raises:
        DatasetError: The data set is missing, a camera or a role is missing, or there are two
            copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part.

    The split is one of ten random ones, see `metabin.data.partition.fixed_splits`. The pid is the
    data set's own number; the camid is 0 for camera a, 1 for camera b.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, layout = find_root(directory)
    # "cameras": cam_a and cam_b of the release; "splits": split_1a of the reference
    read_layout = _read_cameras if layout == "cameras" else _read_split
    records = read_layout(root, directory)
    _check_pairs(root, records)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    if has_all(folder, CAMERAS, NAMING, EXPECTED):
        return "cameras"
    return "splits" if has_all(folder / FIRST_SPLIT, ROLES, SPLIT_NAMING, EXPECTED) else None


def _read_cameras(root: Path, directory: Path) -> list[ImageRecord]:
    return [
        ImageRecord(path, int(match["pid"]), camid, NAME)
        for camid, camera in enumerate(CAMERAS)
        for path, match in read_folder(root / camera, directory, NAMING)
    ]


def _read_split(root: Path, directory: Path) -> list[ImageRecord]:
    return [
        ImageRecord(path, int(match["pid"]), int(match["camera"]) - 1, NAME)
        for role in ROLES
        for path, match in read_folder(root / FIRST_SPLIT / role, directory, SPLIT_NAMING)
    ]


def _check_pairs(root: Path, records: Sequence[ImageRecord]) -> None:
    """Check that every person has exactly one image per camera."""
    pids: list[list[int]] = [[] for _ in CAMERAS]
    for record in records:
        pids[record.camid].append(record.pid)
    for camera, people in zip(CAMERAS, pids, strict=True):
        if len(people) > len(set(people)):
            raise DatasetError(
                f"VIPeR: {root} has {len(people)} images of {len(set(people))} people of {camera}; "
                "expected one of each: remove the duplicates"
            )
    if single := sorted(set(pids[0]) ^ set(pids[1])):
        raise DatasetError(
            f"VIPeR: {root} has {len(single)} people in one camera only: "
            f"{first_names([f'{pid:03d}' for pid in single])}; expected everybody in both: copy "
            "the data set again"
        )
