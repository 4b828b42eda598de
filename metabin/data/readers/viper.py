"""VIPeR: 632 people, each seen once by camera a and once by camera b, 128 x 48 pixels.

Names: `cam_a/000_45.bmp` is person 0 at an angle of 45 degrees; the numbers go up to 873, with gaps. The PNG copies
that come with the reference's splits are called `p000_c1_d045.png`.
Source: Gray, Brennan and Tao, Evaluating appearance models for recognition, reacquisition, and tracking, PETS 2007.
Licence: free for research.
Obtain: no form; http://users.soe.ucsc.edu/~manduchi/VIPeR.v1.0.zip, often down.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, Wanted, find_layout, read_folder, shown
from metabin.data.readers.folder_layout import has_all
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
WANTED = Wanted(
    "VIPeR",
    "cam_a and cam_b with .bmp images, or split_1a with train, query and gallery",
    f"Get it with `python -m stages.download --domain {NAME}`; where {ARCHIVE.url} is down, ask the "
    f"authors for {ARCHIVE.file}",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{3})_[0-9]+(?i:\.bmp)"), "000_45.bmp")
SPLIT_NAMING = Naming(re.compile(r"p(?P<pid>[0-9]{3})_c(?P<camera>[12])_d[0-9]{3}(?i:\.png)"), "p000_c1_d045.png")


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder with cam_a and cam_b ("cameras") or, failing these, with split_1a ("splits"): `directory` or in it.

    The folders train, query and gallery of split_1a hold every image once; the other splits repeat them.

    Raises:
        DatasetError: it is not there, a camera or a role is missing, or there are two copies.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images, sorted by path, of no part: the split is one of ten random ones, see `metabin.data.partition.fixed_splits`.

    The pid is the data set's own number; the camid is 0 of camera a, 1 of camera b.

    Raises:
        DatasetError: the data set is not there or not whole, or it has images that are not its own.
    """
    root, layout = find_root(directory)
    records = _read_cameras(root, directory) if layout == "cameras" else _read_split(root, directory)
    _check_pairs(root, records)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    if has_all(folder, CAMERAS, NAMING, WANTED):
        return "cameras"
    return "splits" if has_all(folder / FIRST_SPLIT, ROLES, SPLIT_NAMING, WANTED) else None


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
    pids = [[record.pid for record in records if record.camid == camid] for camid in range(len(CAMERAS))]
    for camera, found in zip(CAMERAS, pids, strict=True):
        if len(found) > len(set(found)):
            raise DatasetError(
                f"VIPeR: {root} has {len(found)} images of {len(set(found))} people of {camera}; "
                "wanted one of each: take out the copies"
            )
    if single := sorted(set(pids[0]) ^ set(pids[1])):
        raise DatasetError(
            f"VIPeR: {root} has {len(single)} people in one camera only: {shown([f'{pid:03d}' for pid in single])}; "
            "wanted everybody in both: copy the data set again"
        )
