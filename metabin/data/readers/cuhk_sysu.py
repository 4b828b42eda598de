"""CUHK-SYSU, a person search data set: 11,934 people in 18,184 photographs and film stills.

It is read as 34,574 crops of people. It is for training only: the cameras are not known, so the
camid is 0 throughout.
Names: `p00001_n01_s00001_hard0.png` of the paper's authors (person 1, first image, scene 1), or
`p11422_s16929_1.jpg` in the pack of torchreid and fast-reid (person 11422, scene 16929).
Source: Xiao et al., Joint Detection and Identification Feature Learning for Person Search, CVPR
2017.
Licence: academic use only, no redistribution.
Obtain: scenes and annotations from the authors, by e-mail
(https://github.com/ShuangLI59/person_search); the data page of torchreid
(https://kaiyangzhou.github.io/deep-person-reid/datasets) links to the second pack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from metabin.data.readers.cuhk_sysu_raw import ANNOTATION, SCENES, crops
from metabin.data.readers.extraction import extraction_needed, fill_folder
from metabin.data.readers.file_listing import (
    Naming,
    has_matching,
    image_files,
    read_folder,
    wrong_names,
)
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "cuhk_sysu"
COUNTS: Mapping[str, tuple[int, int]] = {"train": (11_934, 34_574), "all": (11_934, 34_574)}
NUM_EXTRACTED = COUNTS["all"][1]  # images that extract() writes
FOLDERS = ("cropped_image", "cropped_images")
NAMINGS = {  # by layout
    "metabin": Naming(
        re.compile(r"p(?P<pid>[0-9]{5})_n[0-9]{2,}_s[0-9]{5}_hard[01](?i:\.png)"),
        "p00001_n01_s00001_hard0.png",
    ),
    "torchreid": Naming(
        re.compile(r"p(?P<pid>[0-9]+)_s[0-9]+_[0-9]+(?i:\.jpg)"),
        "p11422_s16929_1.jpg",
    ),
}
EXPECTED = Expected(
    "CUHK-SYSU",
    f"cropped_image or cropped_images, or {ANNOTATION} and {SCENES}",
    "Ask the authors for CUHK-SYSU person search, by e-mail "
    "(https://github.com/ShuangLI59/person_search), or get the crops that "
    "https://kaiyangzhou.github.io/deep-person-reid/datasets links to",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder of the crops and their layout, "metabin" or "torchreid".

    Without crops, return the folder of annotation and Image, and "raw". `directory` is the folder
    of the crops, or above it, or above annotation and Image.

    Raises:
        DatasetError: The data set is missing or incomplete, or there are several kinds of crops.
    """
    root, layout = find_layout(directory, EXPECTED, _detect)
    return (root if layout == "raw" else _crop_folders(root)[0][0]), layout


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all crops, sorted by path, of the part "train"; pids are the data set's, 1 to 11934.

    Raises:
        DatasetError: The data set is missing, incomplete or not cropped, or has foreign images.
    """
    folder, layout = find_root(directory)
    if layout == "raw":
        raise extraction_needed(NAME, folder)
    images = read_folder(folder, directory, NAMINGS[layout])
    records = [ImageRecord(path, int(match["pid"]), 0, NAME, "train") for path, match in images]
    return tuple(sorted(records, key=lambda record: record.path))


def extract(directory: Path, target: Path, on_image: Callable[[int], None] | None = None) -> int:
    """Crop every person into `target`/cropped_image for read(), and return the number of images.

    An existing folder of crops stays as it is.

    Args:
        directory: The folder that has annotation and Image, or its parent.
        target: Folder for the new folder.
        on_image: Called with the number of new images, as they are written.

    Raises:
        DatasetError: The annotation or a scene is missing or damaged, or a box exceeds its scene.
    """
    root, _ = find_layout(directory, EXPECTED, _detect_raw)
    return fill_folder(target / FOLDERS[0], crops(root), on_image)


def _detect(folder: Path) -> str | None:
    crop_folders = _crop_folders(folder)
    if len(crop_folders) > 1:
        both = " and ".join(f"{place.name} ({layout})" for place, layout in crop_folders)
        raise DatasetError(
            f"CUHK-SYSU: {folder} holds two kinds of crops, {both}; name the folder of one of them"
        )
    if crop_folders:
        return crop_folders[0][1]
    # no crop has a known name: a folder of other images is an error
    present = [folder / name for name in FOLDERS if (folder / name).is_dir()]
    for place in present:
        if names := image_files(place):
            example = NAMINGS["metabin"].example
            raise wrong_names(names, len(names), place, f"names like {example}")
    layout = _detect_raw(folder)
    if layout is None and present:
        raise DatasetError(f"CUHK-SYSU: {present[0]} has no images; copy the data set again")
    return layout


def _crop_folders(folder: Path) -> list[tuple[Path, str]]:
    """Return the folders of crops, of `folder` and of `FOLDERS` in it, each with its layout."""
    places = [folder, *(folder / name for name in FOLDERS if (folder / name).is_dir())]
    layouts = [(place, layout) for place in places for layout in NAMINGS]
    return [(place, layout) for place, layout in layouts if has_matching(place, NAMINGS[layout])]


def _detect_raw(folder: Path) -> str | None:
    has_annotation = (folder / ANNOTATION).is_file()
    has_scenes = (folder / SCENES).is_dir()
    if has_annotation and has_scenes:
        return "raw"
    if has_annotation or has_scenes:
        present, lacking = (ANNOTATION, SCENES) if has_annotation else (SCENES, ANNOTATION)
        raise DatasetError(
            f"CUHK-SYSU: {folder} has {present} but not {lacking}; copy the data set again"
        )
    return None
