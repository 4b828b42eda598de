"""CUHK03: 1,467 people on a campus, in five pairs of cameras, with detected and with labeled boxes.

Both kinds of boxes show the same people, so a run reads one of them; papers on generalisation mean
"detected" when they say CUHK03. If both are in one folder, "detected" is read; to read the labeled
boxes, name their folder.
Names: `1_001_2_06.png` is person 1 of camera pair 1, second view, image 6 (the usual extraction of
cuhk-03.mat); CUHK03-NP, the layout of Market-1501, has `0003_c1_21.png`, or .jpg in a smaller pack.
Source: Li et al., DeepReID, CVPR 2014; the split of 767 and 700 people: Zhong et al., Re-ranking,
CVPR 2017.
Licence: academic use only, no redistribution.
Obtain: cuhk03_release by the form at http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html.
CUHK03-NP and, without a form, cuhk03_new_protocol_config_{detected,labeled}.mat (md5
27237df9b418c99ee4f82ceefa641a91, cd0a6a651ecbbbd7b4af919e2b08c0b1) at
https://github.com/zhunzhong07/person-re-ranking.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from metabin.data.readers.cuhk03_config import SOURCE, find_config, read_config
from metabin.data.readers.cuhk03_raw import RAW_FILE, raw_file, raw_images
from metabin.data.readers.extraction import extraction_needed, fill_folder
from metabin.data.readers.file_listing import (
    Naming,
    has_matching,
    image_files,
    read_folder,
    subfolders,
)
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.data.readers.market_layout import FOLDERS, has_parts, read_parts
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "cuhk03"
DETECTED = {
    "train": (767, 7_365),
    "query": (700, 1_400),
    "gallery": (700, 5_332),
    "all": (1_467, 14_097),
}
LABELED = {
    "train": (767, 7_368),
    "query": (700, 1_400),
    "gallery": (700, 5_328),
    "all": (1_467, 14_096),
}
NUM_EXTRACTED = DETECTED["all"][1] + LABELED["all"][1]  # images that extract() writes
COUNTS: Mapping[str, Mapping[str, tuple[int, int]]] = {  # by find_root's layout
    "np-detected": DETECTED,
    "np-labeled": LABELED,
    "png-detected": DETECTED,
    "png-labeled": LABELED,
}
BOXES = ("detected", "labeled")  # the first that exists is read
# Folders of extracted images: of torchreid, of the split's authors, of other extractions.
PNG_FOLDERS = ("images_{}", "cuhk03_{}", "{}")
PIDS_PER_PAIR = 1_000
NP_TEST_PIDS = 10_000
NAMING = Naming(
    re.compile(r"(?P<pair>[1-5])_(?P<pid>[0-9]{3})_(?P<view>[12])_[0-9]{2}(?i:\.png)"),
    "1_001_1_01.png",
)
NP_NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{4})_c(?P<view>[12])_[0-9]+(?i:\.png|\.jpe?g)"),
    "0003_c1_21.png",
)
EXPECTED = Expected(
    "CUHK03",
    "detected or labeled (of CUHK03-NP), images_detected or images_labeled with its .mat, or "
    f"{RAW_FILE}",
    "Ask for cuhk03_release by the form at "
    "http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html and get its split from "
    f"{SOURCE}, or get CUHK03-NP there",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the root and its layout: {"np", "png"}-{"detected", "labeled"}, or "raw".

    The root, which is `directory` or below it, has `detected`, `images_detected` or cuhk-03.mat, or
    is one of the first two. Images take precedence over a cuhk-03.mat beside them.

    Raises:
        DatasetError: The data set is missing or incomplete, or both kinds of images are in one
            folder.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images of one kind of boxes, sorted by path.

    The camid is the view, 0 or 1, as in the official test. CUHK03-NP: the pid is the number of a
    train person, or 10,000 + the number of a test person. Extracted images: the pid is 1,000 x
    camera pair + number in the pair; the parts come from the new-protocol .mat, beside or above.

    Raises:
        DatasetError: The data set is missing, incomplete or not extracted, or has foreign images.
    """
    root, layout = find_root(directory)
    if layout == "raw":
        raise extraction_needed(NAME, root)
    kind, boxes = layout.split("-")
    if kind == "np":
        # CUHK03-NP: <boxes>/bounding_box_train, or the root itself is the folder of the boxes
        records = _read_np(_named_folder(root, boxes) or root, directory)
    else:
        # extracted pngs: images_<boxes>, or the root itself is that folder
        records = _read_png(_png_folder(root, boxes) or root, directory, boxes)
    return tuple(sorted(records, key=lambda record: record.path))


def extract(directory: Path, target: Path, on_image: Callable[[int], None] | None = None) -> int:
    """Write images_detected and images_labeled into `target` for read(), and return their number.

    An existing folder of images stays as it is. The new-protocol .mat files beside cuhk-03.mat, or
    above it, are copied as well.

    Args:
        directory: The folder of cuhk-03.mat, the one above it, or the parent of that.
        target: Folder for the new folders.
        on_image: Called with the number of new images, as they are written.

    Raises:
        DatasetError: cuhk-03.mat is missing or damaged.
    """
    root, _ = find_layout(directory, EXPECTED, lambda folder: "raw" if raw_file(folder) else None)
    file = raw_file(root)
    assert file is not None
    num_images = 0
    for boxes in BOXES:
        images = raw_images(file, boxes)
        num_images += fill_folder(target / f"images_{boxes}", images, on_image)
    for boxes in BOXES:
        config = find_config(file.parent, directory, boxes)
        if config and not (target / config.name).exists():
            shutil.copyfile(config, target / config.name)
    return num_images


def _detect(folder: Path) -> str | None:
    layouts = [layout for layout in (_detect_np(folder), _detect_png(folder)) if layout]
    if len(layouts) > 1:
        raise DatasetError(
            f"CUHK03: {folder} holds {' and '.join(layouts)}; name the folder of one of them"
        )
    if layouts:
        return layouts[0]
    return "raw" if raw_file(folder) else None


def _detect_np(folder: Path) -> str | None:
    # <boxes>/bounding_box_train and so on
    for boxes in BOXES:
        place = _named_folder(folder, boxes)
        if place and has_parts(place, NP_NAMING, EXPECTED):
            return f"np-{boxes}"
    # bounding_box_train and so on: the folder's own name says which boxes it has
    if not any((folder / name).is_dir() for name in FOLDERS.values()):
        return None
    if not has_parts(folder, NP_NAMING, EXPECTED):
        return None
    boxes_in_name = [boxes for boxes in BOXES if boxes in folder.resolve().name.lower()]
    if len(boxes_in_name) != 1:
        raise DatasetError(
            f"CUHK03: the name of {folder} does not say which boxes it has; call it detected or "
            "labeled"
        )
    return f"np-{boxes_in_name[0]}"


def _detect_png(folder: Path) -> str | None:
    # images_<boxes>, cuhk03_<boxes> or <boxes>
    for boxes in BOXES:
        if _png_folder(folder, boxes):
            return f"png-{boxes}"
    # the folder itself has one of these names
    name = folder.resolve().name.lower()
    for boxes in BOXES:
        if name in [form.format(boxes) for form in PNG_FOLDERS]:
            return f"png-{boxes}" if has_matching(folder, NAMING) else None
    return None


def _png_folder(root: Path, boxes: str) -> Path | None:
    """Return the folder of the extracted images of some boxes; an empty one does not count."""
    places = (_named_folder(root, form.format(boxes)) for form in PNG_FOLDERS)
    return next((place for place in places if place and _has_png(place)), None)


def _has_png(place: Path) -> bool:
    """Return whether a folder has extracted images; in images_<boxes> any image counts."""
    is_certain = place.name.lower() in [PNG_FOLDERS[0].format(boxes) for boxes in BOXES]
    return bool(image_files(place)) if is_certain else has_matching(place, NAMING)


def _named_folder(root: Path, name: str) -> Path | None:
    """Return the folder in `root` of this name in any case ("Labeled"), or None."""
    if (root / name).is_dir():
        return root / name
    return next((root / other for other in subfolders(root) if other.lower() == name), None)


def _read_np(folder: Path, directory: Path) -> list[ImageRecord]:
    records = []
    for part, path, match in read_parts(folder, directory, NP_NAMING):
        pid = int(match["pid"]) if part == "train" else NP_TEST_PIDS + int(match["pid"])
        records.append(ImageRecord(path, pid, int(match["view"]) - 1, NAME, part))
    return records


def _read_png(folder: Path, directory: Path, boxes: str) -> list[ImageRecord]:
    images = read_folder(folder, directory, NAMING)
    parts = read_config(folder, directory, boxes, {match.string for _, match in images})
    records = []
    for path, match in images:
        # pid = 1,000 camera pair + number in the pair
        pid = int(match["pair"]) * PIDS_PER_PAIR + int(match["pid"])
        camid = int(match["view"]) - 1
        records.append(ImageRecord(path, pid, camid, NAME, parts[match.string]))
    return records
