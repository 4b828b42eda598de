"""CUHK03: 1,467 people on a campus, in five pairs of cameras, boxes twice: by a detector, and labeled by hand.

Both show the same people, so a run reads one of them; papers on generalisation mean "detected" when they say CUHK03.
Where both lie side by side "detected" is read; name the labeled folder itself to read that.
Names: `1_001_2_06.png` is person 1 of camera pair 1, second view, image 6 (from cuhk-03.mat, as everybody extracts it);
CUHK03-NP, the layout of Market-1501, has `0003_c1_21.png`, or .jpg in a smaller pack.
Source: Li et al., DeepReID, CVPR 2014; the split of 767 and 700 people: Zhong et al., Re-ranking, CVPR 2017.
Licence: academic use only, no redistribution.
Obtain: cuhk03_release by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html; CUHK03-NP and, without
a form, cuhk03_new_protocol_config_{detected,labeled}.mat (md5 27237df9b418c99ee4f82ceefa641a91,
cd0a6a651ecbbbd7b4af919e2b08c0b1) at https://github.com/zhunzhong07/person-re-ranking.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from metabin.data.readers.cuhk03_config import SOURCE, find_config, read_config
from metabin.data.readers.cuhk03_raw import RAW_FILE, raw_file, raw_images
from metabin.data.readers.extraction import extraction_wanted, fill_folder
from metabin.data.readers.file_listing import (
    Naming,
    Wanted,
    find_layout,
    has_matching,
    image_files,
    read_folder,
    subfolders,
)
from metabin.data.readers.market_layout import FOLDERS, has_parts, read_parts
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "cuhk03"
DETECTED = {"train": (767, 7_365), "query": (700, 1_400), "gallery": (700, 5_332), "all": (1_467, 14_097)}
LABELED = {"train": (767, 7_368), "query": (700, 1_400), "gallery": (700, 5_328), "all": (1_467, 14_096)}
NUM_EXTRACTED = DETECTED["all"][1] + LABELED["all"][1]  # images that extract() writes
COUNTS: Mapping[str, Mapping[str, tuple[int, int]]] = {  # by find_root's layout
    "np-detected": DETECTED,
    "np-labeled": LABELED,
    "png-detected": DETECTED,
    "png-labeled": LABELED,
}
BOXES = ("detected", "labeled")  # the first that is there is read
PNG_FOLDERS = ("images_{}", "cuhk03_{}", "{}")  # of torchreid, of the split's authors, of other extractions
PIDS_PER_PAIR = 1_000
NP_TEST_PIDS = 10_000
NAMING = Naming(re.compile(r"(?P<pair>[1-5])_(?P<pid>[0-9]{3})_(?P<view>[12])_[0-9]{2}(?i:\.png)"), "1_001_1_01.png")
NP_NAMING = Naming(re.compile(r"(?P<pid>[0-9]{4})_c(?P<view>[12])_[0-9]+(?i:\.png|\.jpe?g)"), "0003_c1_21.png")
WANTED = Wanted(
    "CUHK03",
    f"detected or labeled (of CUHK03-NP), images_detected or images_labeled with its .mat, or {RAW_FILE}",
    f"Ask for cuhk03_release by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html and get its "
    f"split from {SOURCE}, or get CUHK03-NP there",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """The data set's folder and its layout: "np-detected", "np-labeled", "png-detected", "png-labeled" or "raw".

    The folder, which is `directory` or in it, has `detected`, `images_detected` or cuhk-03.mat, or is one of the first
    two. Images go before a cuhk-03.mat that lies beside them.

    Raises:
        DatasetError: it is not there or not whole, or the two kinds of images are in one folder.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images of one kind of boxes, sorted by path; the camid is the view, 0 or 1, as in the official test.

    CUHK03-NP: pid is the number of a train person, or 10,000 + that of a test person. Extracted images: pid
    is 1,000 x camera pair + number in the pair, and the new-protocol .mat, beside them or above, has the parts.

    Raises:
        DatasetError: the data set is not there, not whole or not extracted, or it has images that are not its own.
    """
    root, layout = find_root(directory)
    if layout == "raw":
        raise extraction_wanted(NAME, root)
    kind, boxes = layout.split("-")
    if kind == "np":
        records = _read_np(_named_folder(root, boxes) or root, directory)
    else:
        records = _read_png(_png_folder(root, boxes) or root, directory, boxes)
    return tuple(sorted(records, key=lambda record: record.path))


def extract(directory: Path, target: Path, on_image: Callable[[int], None] | None = None) -> int:
    """Write images_detected and images_labeled into `target`, which read() then reads; returns how many images.

    A folder of images that is there already stays. The new-protocol .mat files beside cuhk-03.mat, or above it, are
    copied too.

    Args:
        directory: The folder of cuhk-03.mat, the one above it, or the parent of that.
        on_image: Called with the number of images that are new, as they come.

    Raises:
        DatasetError: cuhk-03.mat is missing or damaged.
    """
    root, _ = find_layout(directory, WANTED, lambda folder: "raw" if raw_file(folder) else None)
    file = raw_file(root)
    assert file is not None
    num_images = sum(fill_folder(target / f"images_{boxes}", raw_images(file, boxes), on_image) for boxes in BOXES)
    for boxes in BOXES:
        config = find_config(file.parent, directory, boxes)
        if config and not (target / config.name).exists():
            shutil.copyfile(config, target / config.name)
    return num_images


def _detect(folder: Path) -> str | None:
    layouts = [layout for layout in (_detect_np(folder), _detect_png(folder)) if layout]
    if len(layouts) > 1:
        raise DatasetError(f"CUHK03: {folder} holds {' and '.join(layouts)} at once; name the one that you want")
    return layouts[0] if layouts else "raw" if raw_file(folder) else None


def _detect_np(folder: Path) -> str | None:
    for boxes in BOXES:
        if (place := _named_folder(folder, boxes)) and has_parts(place, NP_NAMING, WANTED):
            return f"np-{boxes}"
    if not any((folder / name).is_dir() for name in FOLDERS.values()) or not has_parts(folder, NP_NAMING, WANTED):
        return None
    own = [boxes for boxes in BOXES if boxes in folder.resolve().name.lower()]
    if len(own) != 1:
        raise DatasetError(f"CUHK03: {folder} does not say which boxes it has; call it detected or labeled")
    return f"np-{own[0]}"


def _detect_png(folder: Path) -> str | None:
    for boxes in BOXES:
        if _png_folder(folder, boxes):
            return f"png-{boxes}"
    name = folder.resolve().name.lower()
    boxes = [boxes for boxes in BOXES if name in [form.format(boxes) for form in PNG_FOLDERS]]
    return f"png-{boxes[0]}" if boxes and has_matching(folder, NAMING) else None


def _png_folder(root: Path, boxes: str) -> Path | None:
    """Return the folder of the extracted images of some boxes; an empty one does not count."""
    places = (_named_folder(root, form.format(boxes)) for form in PNG_FOLDERS)
    return next((place for place in places if place and _has_png(place)), None)


def _has_png(place: Path) -> bool:
    """Return whether a folder has extracted images; any image counts in images_detected, which has no others."""
    is_certain = place.name.lower() in [PNG_FOLDERS[0].format(boxes) for boxes in BOXES]
    return bool(image_files(place)) if is_certain else has_matching(place, NAMING)


def _named_folder(root: Path, name: str) -> Path | None:
    """Return the folder in `root` that has this name in whatever case ("Labeled"), None if there is none."""
    if (root / name).is_dir():
        return root / name
    return next((root / other for other in subfolders(root) if other.lower() == name), None)


def _read_np(folder: Path, directory: Path) -> list[ImageRecord]:
    return [
        ImageRecord(path, int(match["pid"]) + (part != "train") * NP_TEST_PIDS, int(match["view"]) - 1, NAME, part)
        for part, path, match in read_parts(folder, directory, NP_NAMING)
    ]


def _read_png(folder: Path, directory: Path, boxes: str) -> list[ImageRecord]:
    found = read_folder(folder, directory, NAMING)
    part = read_config(folder, directory, boxes, {match.string for _, match in found})
    return [
        ImageRecord(
            path,
            int(match["pair"]) * PIDS_PER_PAIR + int(match["pid"]),
            int(match["view"]) - 1,
            NAME,
            part[match.string],
        )
        for path, match in found
    ]
