"""ClonedPerson: 5,621 drawn people in the clothes of photographed ones, in several scenes with several cameras.

Names: `700000_s02_c00_f023389.jpg` is person 700000, scene 2, camera 0 of that scene, frame 23389.
Source: Wang, Liang and Liao, Cloning Outfits from Real-World Images to 3D Characters for Generalizable Person
Re-Identification, CVPR 2022.
Licence: the authors' repository states none. Nobody real is shown.
Obtain: no form; clonedperson.tar.gz on Google Drive, by https://github.com/Yanan-Wang-cs/ClonedPerson.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, Wanted, find_layout, read_folder
from metabin.data.readers.folder_layout import has_all
from metabin.types import ImageRecord

NAME = "clonedperson"
# The authors name 887,766 images of 5,621 people in all and 477,555 in the paper's subset, but none of each part, and
# not which of the two the download is.
COUNTS: Mapping[str, tuple[int, int]] = {}
FOLDERS = {"train": "train", "query": "test/query", "gallery": "test/gallery"}
ARCHIVE = Archive(
    "clonedperson.tar.gz",
    "https://drive.google.com/file/d/1XIzGv022n_eu7di4Y0egPjUOFsSgmNjL/view",
    "none is stated",
    max_bytes=64 << 30,
)
WANTED = Wanted(
    "ClonedPerson",
    "train, test/query and test/gallery",
    f"Get it with `python -m stages.download --domain {NAME}`, or from https://github.com/Yanan-Wang-cs/ClonedPerson",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{6})_s(?P<scene>[0-9]{2})_c(?P<camera>[0-9]{2})_f[0-9]{6}(?i:\.jpg)"),
    "700000_s02_c00_f023389.jpg",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder with train and test, which is `directory` or in it, and the layout's name: "official".

    Raises:
        DatasetError: it is not there, not whole, or there twice.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images, sorted by path; the pid is the data set's own number.

    The camid numbers the pairs (scene, camera) that are there, in order. The authors' own loader looks at the camera
    alone, so that its scenes share their cameras; the rule of the same camera would then drop images of other scenes.

    Raises:
        DatasetError: the data set is not there or not whole, or it has images that are not its own.
    """
    root, _ = find_root(directory)
    found = [
        (part, path, match)
        for part, folder in FOLDERS.items()
        for path, match in read_folder(root / folder, directory, NAMING)
    ]
    cameras = sorted({(int(match["scene"]), int(match["camera"])) for _, _, match in found})
    camids = {camera: camid for camid, camera in enumerate(cameras)}
    records = [
        ImageRecord(path, int(match["pid"]), camids[int(match["scene"]), int(match["camera"])], NAME, part)
        for part, path, match in found
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    return "official" if has_all(folder, FOLDERS.values(), NAMING, WANTED) else None
