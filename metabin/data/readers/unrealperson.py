"""UnrealPerson: some 1.2 million images of 4,800 drawn people, seen by 34 cameras in four drawn environments.

Names: `unreal_v3.1/images/333_c001_78.jpg` is environment 3, version 1 of the people, person 333, camera 1, frame 78.
Version 1 is plain, 2 has bags and hats, 3 has people who look alike. A number stands for another person in another
version and for another camera in another environment.
Source: Zhang et al., UnrealPerson: An Adaptive Pipeline towards Costless Person Re-identification, CVPR 2021.
Licence: Apache-2.0 for the code; none is stated for the images. Nobody real is shown.
Obtain: no form; a Google Drive folder, named below; https://github.com/FlyHighest/UnrealPerson has the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.file_listing import Naming, Wanted, find_layout, read_folder, subfolders
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "unrealperson"
COUNTS: Mapping[
    str, tuple[int, int]
] = {}  # the authors name round numbers only, and a part of the twelve folders will do
PIDS_PER_VERSION = 100_000
FOLDER = re.compile(r"unreal_v(?P<environment>[0-9]{1,3})\.(?P<version>[0-9]{1,3})")
WANTED = Wanted(
    "UnrealPerson",
    "folders like unreal_v3.1, each with a folder images",
    "Get some or all of the folder https://drive.google.com/drive/folders/1sQHVBWvDwn-SVJtMqZDpk2HK9g9tnZ1I (see "
    "https://github.com/FlyHighest/UnrealPerson), with a web browser",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{1,5})_c(?P<camera>[0-9]{1,4})_[0-9]+(?i:\.jpg)"), "333_c001_78.jpg")


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder with unreal_v1.1 and the like, which is `directory` or in it, and the layout's name: "official".

    Raises:
        DatasetError: it is not there, a folder has no images, or there are two copies.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images, sorted by path, of no part: the data set is there to train on.

    The pid is 100,000 x version + number. The camid numbers the pairs (environment, camera) that are there, in order.

    Raises:
        DatasetError: the data set is not there or not whole, or it has images that are not its own.
    """
    root, _ = find_root(directory)
    found = [
        (int(version["environment"]), int(version["version"]), path, match)
        for version in _versions(root)
        for path, match in read_folder(_images(root / version.string), directory, NAMING)
    ]
    cameras = sorted({(environment, int(match["camera"])) for environment, _, _, match in found})
    camids = {camera: camid for camid, camera in enumerate(cameras)}
    records = [
        ImageRecord(
            path, version * PIDS_PER_VERSION + int(match["pid"]), camids[environment, int(match["camera"])], NAME
        )
        for environment, version, path, match in found
    ]
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    names = [version.string for version in _versions(folder)]
    lacking = [name for name in names if not _images(folder / name).is_dir()]
    if lacking and (len(lacking) < len(names) or not all(subfolders(folder / name) for name in lacking)):
        raise DatasetError(f"UnrealPerson: {', '.join(lacking)} of {folder} have no folder images; unpack them again")
    return None if lacking or not names else "official"


def _images(version: Path) -> Path:
    """Return the folder of a version's images: unreal_v1.1/images, or unreal_v1.1/unreal_v1.1/images."""
    nested = version / version.name / "images"
    return nested if nested.is_dir() else version / "images"


def _versions(folder: Path) -> list[re.Match[str]]:
    return [match for name in subfolders(folder) if (match := FOLDER.fullmatch(name))]
