"""CUHK-SYSU, a person search data set: 11,934 people in 18,184 street photographs and film stills, as 34,574 crops.

It trains only: there is no camera to tell the images of a person apart, so camid is 0 throughout.
Names: `p00001_n01_s00001_hard0.png` as the paper's authors crop it (person 1, first image, scene 1), or
`p11422_s16929_1.jpg` in the pack of torchreid and fast-reid (person 11422, scene 16929).
Source: Xiao et al., Joint Detection and Identification Feature Learning for Person Search, CVPR 2017.
Licence: academic use only, no redistribution.
Obtain: scenes and annotations from the authors, by e-mail (https://github.com/ShuangLI59/person_search); the second
pack is linked from the data page of torchreid (https://kaiyangzhou.github.io/deep-person-reid/datasets).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from metabin.data.readers.cuhk_sysu_raw import ANNOTATION, SCENES, crops
from metabin.data.readers.extraction import extraction_wanted, fill_folder
from metabin.data.readers.file_listing import (
    Naming,
    Wanted,
    find_layout,
    has_matching,
    image_files,
    read_folder,
    wrong_names,
)
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "cuhk_sysu"
COUNTS: Mapping[str, tuple[int, int]] = {"train": (11_934, 34_574), "all": (11_934, 34_574)}
NUM_EXTRACTED = COUNTS["all"][1]  # images that extract() writes
FOLDERS = ("cropped_image", "cropped_images")
NAMINGS = {
    "metabin": Naming(
        re.compile(r"p(?P<pid>[0-9]{5})_n[0-9]{2,}_s[0-9]{5}_hard[01](?i:\.png)"), "p00001_n01_s00001_hard0.png"
    ),
    "torchreid": Naming(re.compile(r"p(?P<pid>[0-9]+)_s[0-9]+_[0-9]+(?i:\.jpg)"), "p11422_s16929_1.jpg"),
}
WANTED = Wanted(
    "CUHK-SYSU",
    f"cropped_image or cropped_images, or {ANNOTATION} and {SCENES}",
    "Ask the authors for CUHK-SYSU person search, by e-mail (https://github.com/ShuangLI59/person_search), or get "
    "the crops that https://kaiyangzhou.github.io/deep-person-reid/datasets links to",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder of the crops and their layout, "metabin" or "torchreid"; "raw" and its root where nothing is cropped.

    `directory` is the folder of the crops, the one that has it or annotation and Image, or the parent of that.

    Raises:
        DatasetError: neither is there, or not whole, or more than one kind of crops is.
    """
    root, layout = find_layout(directory, WANTED, _detect)
    return (root if layout == "raw" else _crop_folders(root)[0][0]), layout


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All crops, sorted by path, of the part "train"; pids are the data set's own, 1 to 11934.

    Raises:
        DatasetError: the data set is not there, not whole or not cropped, or it has images that are not its own.
    """
    folder, layout = find_root(directory)
    if layout == "raw":
        raise extraction_wanted(NAME, folder)
    found = read_folder(folder, directory, NAMINGS[layout])
    records = [ImageRecord(path, int(match["pid"]), 0, NAME, "train") for path, match in found]
    return tuple(sorted(records, key=lambda record: record.path))


def extract(directory: Path, target: Path, on_image: Callable[[int], None] | None = None) -> int:
    """Crop every person into `target`/cropped_image, which read() then reads; returns how many images.

    A folder of crops that is there already stays.

    Args:
        directory: The folder that has annotation and Image, or its parent.
        on_image: Called with the number of images that are new, as they come.

    Raises:
        DatasetError: the annotation or a scene is missing or damaged, or a box is not within its scene.
    """
    root, _ = find_layout(directory, WANTED, _detect_raw)
    return fill_folder(target / FOLDERS[0], crops(root), on_image)


def _detect(folder: Path) -> str | None:
    found = _crop_folders(folder)
    if len(found) > 1:
        both = " and ".join(f"{place.name} ({layout})" for place, layout in found)
        raise DatasetError(f"CUHK-SYSU: {folder} holds two kinds of crops, {both}; name the one that you want")
    if found:
        return found[0][1]
    present = [folder / name for name in FOLDERS if (folder / name).is_dir()]
    for place in present:
        if names := image_files(place):
            raise wrong_names(names, len(names), place, "names like p00001_n01_s00001_hard0.png")
    if (layout := _detect_raw(folder)) is None and present:
        raise DatasetError(f"CUHK-SYSU: {present[0]} has no images; copy the data set again")
    return layout


def _crop_folders(folder: Path) -> list[tuple[Path, str]]:
    places = [folder, *(folder / name for name in FOLDERS if (folder / name).is_dir())]
    return [(place, layout) for place in places for layout, naming in NAMINGS.items() if has_matching(place, naming)]


def _detect_raw(folder: Path) -> str | None:
    present = [(folder / ANNOTATION).is_file(), (folder / SCENES).is_dir()]
    if any(present) and not all(present):
        found, lacking = (ANNOTATION, SCENES) if present[0] else (SCENES, ANNOTATION)
        raise DatasetError(f"CUHK-SYSU: {folder} has {found} but not {lacking}; copy the data set again")
    return "raw" if all(present) else None
