"""UnrealPerson: about 1.2 million images of 4,800 rendered people, 34 cameras, 4 environments.

Names: `unreal_v3.1/images/333_c001_78.jpg` is environment 3, version 1 of the people, person 333,
camera 1, frame 78. Version 1 is plain, 2 has bags and hats, 3 has people who look alike. A number
stands for another person in another version and for another camera in another environment.
Source: Zhang et al., UnrealPerson: An Adaptive Pipeline towards Costless Person Re-identification,
CVPR 2021.
Licence: Apache-2.0 for the code; none is stated for the images. They show no real person.
Obtain: no form; a Google Drive folder, named below; https://github.com/FlyHighest/UnrealPerson has
the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.file_listing import Naming, read_folder, subfolders
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "unrealperson"
# The authors publish round numbers only, and some of the twelve folders are enough.
COUNTS: Mapping[str, tuple[int, int]] = {}
PIDS_PER_VERSION = 100_000
FOLDER = re.compile(r"unreal_v(?P<environment>[0-9]{1,3})\.(?P<version>[0-9]{1,3})")
EXPECTED = Expected(
    "UnrealPerson",
    "folders like unreal_v3.1, each with a folder images",
    "Get some or all of the folder "
    "https://drive.google.com/drive/folders/1sQHVBWvDwn-SVJtMqZDpk2HK9g9tnZ1I (see "
    "https://github.com/FlyHighest/UnrealPerson), with a web browser",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{1,5})_c(?P<camera>[0-9]{1,4})_[0-9]+(?i:\.jpg)"),
    "333_c001_78.jpg",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with unreal_v1.1 and so on, and the layout "official".

    The folder is `directory` or below it.

    Raises:
        DatasetError: The data set is missing, a folder has no images, or there are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part: the data set is for training.

    The pid is 100,000 x version + number. The camid numbers the existing pairs (environment,
    camera), in order.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, _ = find_root(directory)
    images = []
    for folder in _versions(root):
        # pid = 100,000 version + number; a camera is a pair (environment, camera)
        first_pid = int(folder["version"]) * PIDS_PER_VERSION
        for path, match in read_folder(_images(root / folder.string), directory, NAMING):
            camera = (int(folder["environment"]), int(match["camera"]))
            images.append((path, first_pid + int(match["pid"]), camera))
    cameras = sorted({camera for _, _, camera in images})
    camids = {camera: camid for camid, camera in enumerate(cameras)}
    records = [ImageRecord(path, pid, camids[camera], NAME) for path, pid, camera in images]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    names = [version.string for version in _versions(folder)]
    lacking = [name for name in names if not _images(folder / name).is_dir()]
    # Folders without images but with folders may be wrappers: the search goes on below them.
    are_wrappers = len(lacking) == len(names) and all(subfolders(folder / name) for name in lacking)
    if lacking and not are_wrappers:
        raise DatasetError(
            f"UnrealPerson: {', '.join(lacking)} of {folder} have no folder images; unpack them "
            "again"
        )
    return None if lacking or not names else "official"


def _images(version: Path) -> Path:
    """Return the folder of a version's images.

    It is unreal_v1.1/images, or unreal_v1.1/unreal_v1.1/images of an unpacked archive.
    """
    nested = version / version.name / "images"
    return nested if nested.is_dir() else version / "images"


def _versions(folder: Path) -> list[re.Match[str]]:
    return [match for name in subfolders(folder) if (match := FOLDER.fullmatch(name))]
