"""RandPerson: 8,000 rendered people in 11 scenes with 19 cameras; the subset of 132,145 images.

The paper trains on this subset.
Names: `000000_s00_c00_f000264.jpg` is person 0, scene 0, camera 0 of that scene, frame 264. The
first release has camera and scene in the other order, `000000_c00_s00_f000264.jpg`.
Source: Wang, Liao and Shao, Surpassing Real-World Source Training Data: Random 3D Characters for
Generalizable Person Re-Identification, ACM Multimedia 2020.
Licence: Apache-2.0 (the authors' repository). The images show no real person.
Obtain: no form; the subset on Google Drive, linked from
https://github.com/VideoObjectSearch/RandPerson.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, has_matching, read_folder, wrong_names
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.types import ImageRecord

NAME = "randperson"
COUNTS: Mapping[str, tuple[int, int]] = {"all": (8_000, 132_145)}
NUM_CAMS = (2, 2, 2, 2, 1, 1, 2, 1, 1, 1, 4)  # of each scene
FIRST_CAMID = tuple(sum(NUM_CAMS[:scene]) for scene in range(len(NUM_CAMS)))
NAMING = Naming(
    # ClonedPerson's names differ in the person only, who is numbered from 700000. The look-aheads
    # read scene and camera in either order.
    re.compile(
        r"(?P<pid>00[0-7][0-9]{3})(?=\w*_s(?P<scene>[0-9]{2}))(?=\w*_c(?P<camera>[0-9]{2}))"
        r"(?:_[cs][0-9]{2}){2}_f[0-9]{6}(?i:\.jpg)",
        re.ASCII,
    ),
    "000000_s00_c00_f000264.jpg",
)
ARCHIVE = Archive(
    "randperson_subset.zip",  # our name: the page states none
    "https://drive.google.com/file/d/1qIFvTPt1q37_xWeGbFumZag6uAx9c4--/view",
    "Apache-2.0",
    max_bytes=64 << 30,
)
EXPECTED = Expected(
    "RandPerson",
    f"images like {NAMING.example} (of randperson_subset)",
    f"Get it with `python -m stages.download --domain {NAME}`, or from https://github.com/VideoObjectSearch/RandPerson",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder of the images, `directory` or below it, and the layout "subset".

    Raises:
        DatasetError: The data set is missing, or there are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part: the data set is for training.

    The pid is the data set's own number. The camid counts the cameras of all scenes: 0 and 1 in
    scene 0, 2 and 3 in scene 1, and so on.

    Raises:
        DatasetError: The data set is missing, or has foreign images.
    """
    root, _ = find_root(directory)
    images = [
        (path, match.string, int(match["pid"]), int(match["scene"]), int(match["camera"]))
        for path, match in read_folder(root, directory, NAMING)
    ]
    wrong = [name for _, name, _, scene, camera in images if not _has_camera(scene, camera)]
    if wrong:
        expected = "scenes 0 to 10 and the cameras that these have"
        raise wrong_names(wrong, len(images), root, expected)
    records = [
        ImageRecord(path, pid, FIRST_CAMID[scene] + camera, NAME)
        for path, _, pid, scene, camera in images
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    return "subset" if has_matching(folder, NAMING) else None


def _has_camera(scene: int, camera: int) -> bool:
    return scene < len(NUM_CAMS) and camera < NUM_CAMS[scene]
