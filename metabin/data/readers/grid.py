"""GRID (QMUL underGround): 8 cameras, 250 people with a probe and a gallery image, 775 others.

Names: `probe/0001_1_25004_107_32_106_221.jpeg` is person 1, camera 1, then the frame and the box;
person 0000 of the gallery stands for the 775 others.
Source: Loy, Xiang and Gong, Multi-Camera Activity Correlation Analysis, CVPR 2009.
Licence: research only.
Obtain: no form; with a web browser, or fetched if its checksum is known:
http://personal.ie.cuhk.edu.hk/~ccloy/files/datasets/underground_reid.zip.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.extraction import mat_errors, whole_numbers
from metabin.data.readers.file_listing import Naming, first_names, read_folder
from metabin.data.readers.folder_layout import has_all
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "grid"
COUNTS: Mapping[str, tuple[int, int]] = {
    "all": (250, 500),  # without the distractors
    "distractor": (775, 775),
}
FOLDERS = ("probe", "gallery")
PARTITION = "features_and_partitions.mat"
NUM_SPLITS = 10
TRAIN_FIELD = 2  # field of a split's struct with the train people
DISTRACTOR_PIDS = 1_000
ARCHIVE = Archive(
    "underground_reid.zip",
    "http://personal.ie.cuhk.edu.hk/~ccloy/files/datasets/underground_reid.zip",
    "research only",
)
EXPECTED = Expected(
    "GRID",
    f"probe and gallery with .jpeg images, and {PARTITION}",
    f"Get it with `python -m stages.download --domain {NAME}`, or from {ARCHIVE.url}",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{4})_(?P<camera>[1-8])(?:_-?[0-9]+)+(?i:\.jpeg)"),
    "0001_1_25004_107_32_106_221.jpeg",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder with probe and gallery, `directory` or below it, and the layout "official".

    Raises:
        DatasetError: The data set is missing, one of the two is missing, or there are two copies.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path, without a part.

    The split is one of ten official ones, see `metabin.data.partition.fixed_splits`. The pid is the
    data set's own number, 1 to 250. The images of person 0000 are distractors, each with its own
    pid: 1000, 1001 and so on in the order of their names.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, _ = find_root(directory)
    images = {folder: read_folder(root / folder, directory, NAMING) for folder in FOLDERS}
    _check_people(root, *([int(match["pid"]) for _, match in images[name]] for name in FOLDERS))
    records = []
    distractor_pid = DISTRACTOR_PIDS
    for path, match in [image for folder in FOLDERS for image in images[folder]]:
        pid = int(match["pid"])
        camid = int(match["camera"]) - 1
        if pid:
            records.append(ImageRecord(path, pid, camid, NAME))
        else:
            records.append(ImageRecord(path, distractor_pid, camid, NAME, distractor=True))
            distractor_pid += 1
    return tuple(sorted(records, key=lambda record: record.path))


def read_partition(directory: Path) -> tuple[tuple[int, ...], ...]:
    """Return the train people of each of the ten official splits, sorted; the other 125 test.

    Raises:
        DatasetError: The .mat file is missing or damaged, or has other content.
    """
    from scipy.io import loadmat

    root, _ = find_root(directory)
    path = root / PARTITION
    if not path.is_file():
        raise DatasetError(
            f"GRID: {path} is missing; expected the official splits: copy it from "
            f"{EXPECTED.name}'s zip"
        )
    with mat_errors(path, f"trainIdxAll with {NUM_SPLITS} splits"):
        # a cell of structs, whose third field has the train people
        cells = loadmat(path, variable_names=["trainIdxAll"])["trainIdxAll"][0]
        splits = tuple(tuple(sorted(whole_numbers(cell[0][0][TRAIN_FIELD][0]))) for cell in cells)
        if any(len(set(split)) < len(split) for split in splits):
            raise ValueError("a person is twice in a split")
    if len(splits) != NUM_SPLITS or not all(splits):
        raise DatasetError(
            f"GRID: {path} has {sum(map(bool, splits))} splits; expected {NUM_SPLITS}: copy it "
            "again"
        )
    return splits


def _detect(folder: Path) -> str | None:
    return "official" if has_all(folder, FOLDERS, NAMING, EXPECTED) else None


def _check_people(root: Path, probe: Sequence[int], gallery: Sequence[int]) -> None:
    """Check that everybody but person 0 has one probe and one gallery image."""
    num_probe = Counter(probe)
    num_gallery = Counter(gallery)
    pids = sorted({*probe, *gallery} - {0})
    if odd := [pid for pid in pids if not num_probe[pid] == num_gallery[pid] == 1]:
        raise DatasetError(
            f"GRID: {root} has {len(odd)} people who are not in probe and gallery once each: "
            f"{first_names([f'{pid:04d}' for pid in odd])}; copy the data set again"
        )
    if num_probe[0]:
        raise DatasetError(
            f"GRID: {root / 'probe'} has {num_probe[0]} images of person 0000; expected none: "
            "move them to gallery"
        )
