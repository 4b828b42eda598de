"""ClonedPerson: 5,621 rendered people in clothes of photographed ones, in several scenes.

Names: `700000_s02_c00_f023389.jpg` is person 700000, scene 2, camera 0 of that scene, frame 23389.
Source: Wang, Liang and Liao, Cloning Outfits from Real-World Images to 3D Characters for
Generalizable Person Re-Identification, CVPR 2022.
Licence: the authors' repository states none. The images show no real person.
Obtain: no form; clonedperson.tar.gz on Google Drive, linked from
https://github.com/Yanan-Wang-cs/ClonedPerson.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, read_folder
from metabin.data.readers.folder_layout import has_all
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.types import ImageRecord

NAME = "clonedperson"
# The authors name 887,766 images of 5,621 people in all and 477,555 in the paper's subset, but not
# the numbers per part, and not which of the two the download is.
COUNTS: Mapping[str, tuple[int, int]] = {}
FOLDERS = {"train": "train", "query": "test/query", "gallery": "test/gallery"}
ARCHIVE = Archive(
    "clonedperson.tar.gz",
    "https://drive.google.com/file/d/1XIzGv022n_eu7di4Y0egPjUOFsSgmNjL/view",
    "none is stated",
    max_bytes=64 << 30,
)
EXPECTED = Expected(
    "ClonedPerson",
    "train, test/query and test/gallery",
    f"Get it with `python -m stages.download --domain {NAME}`, or from https://github.com/Yanan-Wang-cs/ClonedPerson",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{6})_s(?P<scene>[0-9]{2})_c(?P<camera>[0-9]{2})_f[0-9]{6}(?i:\.jpg)"),
    "700000_s02_c00_f023389.jpg",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with train and test, `directory` or below it, and the layout "official".

    Raises:
        DatasetError: The data set is missing, incomplete, or present twice.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path; the pid is the data set's own number.

    The camid numbers the existing pairs (scene, camera), in order. The authors' own loader uses the
    camera alone, so that scenes share their cameras; the rule of the same camera would then drop
    images of other scenes.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, _ = find_root(directory)
    images = [
        (part, path, int(match["pid"]), (int(match["scene"]), int(match["camera"])))
        for part, folder in FOLDERS.items()
        for path, match in read_folder(root / folder, directory, NAMING)
    ]
    # camid = rank of the pair (scene, camera)
    cameras = sorted({camera for *_, camera in images})
    camids = {camera: camid for camid, camera in enumerate(cameras)}
    records = [
        ImageRecord(path, pid, camids[camera], NAME, part) for part, path, pid, camera in images
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    return "official" if has_all(folder, FOLDERS.values(), NAMING, EXPECTED) else None
