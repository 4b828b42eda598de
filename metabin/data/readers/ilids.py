"""i-LIDS (QMUL): 119 people in an airport's arrival hall, 476 images, 2 to 8 per person.

The cameras are not known.
Names: `0001001.jpg` is person 1 (four digits), image 1 (three digits).
Source: Zheng, Gong and Xiang, Associating Groups of People, BMVC 2009.
Licence: the film is the UK Home Office's i-LIDS, whose licence applies.
Obtain: no form; with a web browser, or fetched if its checksum is known:
http://www.eecs.qmul.ac.uk/~jason/data/i-LIDS_Pedestrian.tgz, which is often down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import (
    Naming,
    first_names,
    has_matching,
    image_files,
    read_folder,
    wrong_names,
)
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "ilids"
COUNTS: Mapping[str, tuple[int, int]] = {"all": (119, 476)}
# Layouts: of i-LIDS_Pedestrian, of QMUL-iLIDS, and the folder of the images itself.
PLACES = {"official": "Persons", "bundle": "images", "flat": "."}
ARCHIVE = Archive(
    "i-LIDS_Pedestrian.tgz",
    "http://www.eecs.qmul.ac.uk/~jason/data/i-LIDS_Pedestrian.tgz",
    "that of the film, the UK Home Office's i-LIDS",
)
EXPECTED = Expected(
    "i-LIDS",
    "Persons (of i-LIDS_Pedestrian) or images (of QMUL-iLIDS) with 0001001.jpg and so on",
    f"Get it with `python -m stages.download --domain {NAME}`; if {ARCHIVE.url} is down, ask the "
    "authors for QMUL i-LIDS",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{4})(?P<image>(?!000)[0-9]{3})(?i:\.jpg)"),
    "0001001.jpg",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with Persons ("official") or images ("bundle"), or of the images ("flat").

    It is `directory` or below it.

    Raises:
        DatasetError: The data set is missing, or there are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part.

    The split is one of ten random ones, see `metabin.data.partition.fixed_splits`. The pid is the
    data set's own number. The camid is the number of the image, from 0, as in every published
    result: no two images of a person share a camera, so the rule of the same camera excludes
    nothing from the gallery.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
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
    # Persons with images of other names is an error; `images` and "." are too common for that
    persons = folder / PLACES["official"]
    if persons.is_dir() and (names := image_files(persons)):
        raise wrong_names(names, len(names), persons, f"names like {NAMING.example}")
    return None


def _check_people(folder: Path, records: Sequence[ImageRecord]) -> None:
    """Check that no image is there twice, and that everybody has two images."""
    if len({(record.pid, record.camid) for record in records}) < len(records):
        raise DatasetError(
            f"i-LIDS: {folder} has an image twice, as .jpg and .JPG; remove the duplicates"
        )
    num_images = Counter(record.pid for record in records)
    if single := [f"{pid:04d}" for pid, number in sorted(num_images.items()) if number == 1]:
        raise DatasetError(
            f"i-LIDS: {folder} has {len(single)} people with a single image: "
            f"{first_names(single)}; expected at least 2 of everybody: copy the data set again"
        )
