"""RandPerson: 8,000 drawn people in 11 scenes with 19 cameras; the subset of 132,145 images that its paper trains on.

Names: `000000_s00_c00_f000264.jpg` is person 0, scene 0, camera 0 of that scene, frame 264. The first release
has camera and scene the other way round, `000000_c00_s00_f000264.jpg`.
Source: Wang, Liao and Shao, Surpassing Real-World Source Training Data: Random 3D Characters for Generalizable Person
Re-Identification, ACM Multimedia 2020.
Licence: Apache-2.0 (the authors' repository). Nobody real is shown.
Obtain: no form; the subset on Google Drive, by https://github.com/VideoObjectSearch/RandPerson.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, Wanted, find_layout, has_matching, read_folder, wrong_names
from metabin.types import ImageRecord

NAME = "randperson"
COUNTS: Mapping[str, tuple[int, int]] = {"all": (8_000, 132_145)}
NUM_CAMS = (2, 2, 2, 2, 1, 1, 2, 1, 1, 1, 4)  # of each scene
FIRST_CAMID = tuple(sum(NUM_CAMS[:scene]) for scene in range(len(NUM_CAMS)))
NAMING = Naming(
    # ClonedPerson's names differ in the person alone, who is numbered from 700000.
    re.compile(
        r"(?P<pid>00[0-7][0-9]{3})(?=\w*_s(?P<scene>[0-9]{2}))(?=\w*_c(?P<camera>[0-9]{2}))"
        r"(?:_[cs][0-9]{2}){2}_f[0-9]{6}(?i:\.jpg)",
        re.ASCII,
    ),
    "000000_s00_c00_f000264.jpg",
)
ARCHIVE = Archive(
    "randperson_subset.zip",  # the page does not say what it is called
    "https://drive.google.com/file/d/1qIFvTPt1q37_xWeGbFumZag6uAx9c4--/view",
    "Apache-2.0",
    max_bytes=64 << 30,
)
WANTED = Wanted(
    "RandPerson",
    f"images like {NAMING.example} (of randperson_subset)",
    f"Get it with `python -m stages.download --domain {NAME}`, or from https://github.com/VideoObjectSearch/RandPerson",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder of the images, which is `directory` or in it, and the layout's name: "subset".

    Raises:
        DatasetError: it is not there, or there are two copies.
    """
    return find_layout(directory, WANTED, lambda folder: "subset" if has_matching(folder, NAMING) else None)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images, sorted by path, of no part: the data set is there to train on.

    The pid is the data set's own number. The camid counts the cameras of all scenes: 0 and 1 in scene 0, 2 and 3 in
    scene 1, and so on.

    Raises:
        DatasetError: the data set is not there, or it has images that are not its own.
    """
    root, _ = find_root(directory)
    found = read_folder(root, directory, NAMING)
    if wrong := [match.string for _, match in found if not _has_camera(int(match["scene"]), int(match["camera"]))]:
        raise wrong_names(wrong, len(found), root, "scenes 0 to 10 and the cameras that these have")
    records = [
        ImageRecord(path, int(match["pid"]), FIRST_CAMID[int(match["scene"])] + int(match["camera"]), NAME)
        for path, match in found
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _has_camera(scene: int, camera: int) -> bool:
    return scene < len(NUM_CAMS) and camera < NUM_CAMS[scene]
