"""PRID2011, single-shot: one image per person and camera, 128 x 64 pixels.

Names: `single_shot/cam_a/person_0001.png`. Persons 1 to 200 are the same people in both cameras,
but person 201 of camera a is not person 201 of camera b. Camera a has 385 people, camera b 749.
Source: Hirzer et al., Person Re-identification by Descriptive and Discriminative Classification,
SCIA 2011.
Licence: research only.
Obtain: https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/PRID11/, by form or
with a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from metabin.data.readers.file_listing import Naming, first_names, read_folder
from metabin.data.readers.folder_layout import has_all
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "prid2011"
COUNTS: Mapping[str, tuple[int, int]] = {
    "all": (385, 585),  # without the distractors: 385 of camera a, 200 of camera b
    "distractor": (549, 549),
}
CAMERAS = ("cam_a", "cam_b")
# Layouts: the folder above single_shot, and single_shot itself.
PLACES = {"single_shot": "single_shot", "cameras": "."}
NUM_SHARED = 200
DISTRACTOR_PIDS = 1_000
EXPECTED = Expected(
    "PRID2011",
    "single_shot with cam_a and cam_b, each with person_0001.png and so on",
    "Ask for PRID2011 (or its password) at "
    "https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/PRID11/",
)
NAMING = Naming(re.compile(r"person_(?P<pid>[0-9]{4})(?i:\.png)"), "person_0001.png")


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with single_shot ("single_shot") or with cam_a and cam_b ("cameras").

    It is `directory` or below it.

    Raises:
        DatasetError: The data set is missing, a camera is missing, or there are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part.

    The split is one of ten random ones, see `metabin.data.partition.fixed_splits`. The camid is 0
    for camera a, 1 for camera b. The pid is the data set's own number, but 1,000 + that for camera
    b's persons from 201 on. These are distractors: the test puts all of them into the gallery.
    Camera a's persons from 201 on have no second image; they are no distractors, and the test
    excludes them.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, layout = find_root(directory)
    records = []
    for camid, camera in enumerate(CAMERAS):
        # "single_shot": single_shot/cam_a; "cameras": cam_a
        for path, match in read_folder(root / PLACES[layout] / camera, directory, NAMING):
            number = int(match["pid"])
            distractor = camid == 1 and number > NUM_SHARED
            pid = DISTRACTOR_PIDS + number if distractor else number
            records.append(ImageRecord(path, pid, camid, NAME, distractor=distractor))
    _check_people(root, records)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    for layout, place in PLACES.items():
        if has_all(folder / place, CAMERAS, NAMING, EXPECTED):
            return layout
    return None


def _check_people(root: Path, records: Sequence[ImageRecord]) -> None:
    """Check that every person has one image per camera, and that persons 1 to 200 have two."""
    people = {(record.pid, record.camid) for record in records}
    if len(people) < len(records):
        raise DatasetError(
            f"PRID2011: {root} has {len(records)} images of {len(people)} persons and cameras; "
            "expected one of each: remove the duplicates"
        )
    shared = {pid for pid, _ in people if pid <= NUM_SHARED}
    if single := sorted(pid for pid in shared if not {(pid, 0), (pid, 1)} <= people):
        raise DatasetError(
            f"PRID2011: {root} has {len(single)} of the persons 1 to {NUM_SHARED} in one camera "
            f"only: {first_names([f'{pid:04d}' for pid in single])}; expected them in both: copy "
            "the data set again"
        )
