"""i-LIDS (QMUL): 119 people in an airport's arrival hall, 476 images, 2 to 8 of a person; the cameras are not known.

Names: `0001001.jpg` is person 1 (four digits), image 1 (three digits).
Source: Zheng, Gong and Xiang, Associating Groups of People, BMVC 2009.
Licence: the film is the UK Home Office's i-LIDS, whose licence applies.
Obtain: no form; http://www.eecs.qmul.ac.uk/~jason/data/i-LIDS_Pedestrian.tgz, which is often down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import (
    Naming,
    Wanted,
    find_layout,
    has_matching,
    image_files,
    read_folder,
    shown,
    wrong_names,
)
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "ilids"
COUNTS: Mapping[str, tuple[int, int]] = {"all": (119, 476)}
PLACES = {"official": "Persons", "bundle": "images", "flat": "."}
ARCHIVE = Archive(
    "i-LIDS_Pedestrian.tgz",
    "http://www.eecs.qmul.ac.uk/~jason/data/i-LIDS_Pedestrian.tgz",
    "that of the film, the UK Home Office's i-LIDS",
)
WANTED = Wanted(
    "i-LIDS",
    "Persons (of i-LIDS_Pedestrian) or images (of QMUL-iLIDS) with 0001001.jpg and so on",
    f"Get it with `python -m stages.download --domain {NAME}`; where {ARCHIVE.url} is down, ask the "
    "authors for QMUL i-LIDS",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{4})(?P<image>(?!000)[0-9]{3})(?i:\.jpg)"), "0001001.jpg")


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder that has Persons ("official") or images ("bundle"), or the images ("flat"): `directory` or in it.

    Raises:
        DatasetError: it is not there, or there are two copies.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images, sorted by path, of no part: the split is one of ten random ones, see `metabin.data.partition.fixed_splits`.

    The pid is the data set's own number. The camid is the number of the image, from 0, as it is in every published
    result: no two images of a person share a camera, so the rule of the same camera takes nothing out of the gallery.

    Raises:
        DatasetError: the data set is not there or not whole, or it has images that are not its own.
    """
    root, layout = find_root(directory)
    folder = root / PLACES[layout]
    records = [
        ImageRecord(path, int(match["pid"]), int(match["image"]) - 1, NAME)
        for path, match in read_folder(folder, directory, NAMING)
    ]
    _check_people(folder, records)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    for layout, name in PLACES.items():
        if (folder / name).is_dir() and has_matching(folder / name, NAMING):
            return layout
    persons = folder / PLACES["official"]
    if persons.is_dir() and (names := image_files(persons)):
        raise wrong_names(names, len(names), persons, f"names like {NAMING.example}")
    return None


def _check_people(folder: Path, records: Sequence[ImageRecord]) -> None:
    if len({(record.pid, record.camid) for record in records}) < len(records):
        raise DatasetError(f"i-LIDS: {folder} has an image twice, as .jpg and .JPG; take out the copies")
    num_images = Counter(record.pid for record in records)
    if single := [f"{pid:04d}" for pid, number in sorted(num_images.items()) if number == 1]:
        raise DatasetError(
            f"i-LIDS: {folder} has {len(single)} people with a single image: {shown(single)}; "
            "wanted at least 2 of everybody: copy the data set again"
        )
