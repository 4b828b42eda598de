"""The split of CUHK03 into 767 train and 700 test people, from the .mat files of its authors (Zhong et al., CVPR 2017).

A file has `filelist`, the names of all images, and `train_idx`, `query_idx`, `gallery_idx`, which count them from 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metabin.data.readers.extraction import load_mat, mat_errors
from metabin.data.readers.file_listing import shown
from metabin.errors import DatasetError

SOURCE = "https://github.com/zhunzhong07/person-re-ranking, evaluation/data/CUHK03 (no form)"


def config_name(boxes: str) -> str:
    """The file's name, for "detected" or "labeled" boxes."""
    return f"cuhk03_new_protocol_config_{boxes}.mat"


def find_config(folder: Path, directory: Path, boxes: str) -> Path | None:
    """Return the .mat in `folder`, in the folder above it or in any above up to `directory`; else None."""
    above = [place for place in folder.parents if place.is_relative_to(directory)]
    places = dict.fromkeys([folder, folder.parent, *above])
    return next((file for place in places if (file := place / config_name(boxes)).is_file()), None)


def read_config(folder: Path, directory: Path, boxes: str, names: set[str]) -> dict[str, str]:
    """Return the part of every image of `folder`, from the .mat that `find_config` finds.

    Args:
        names: The images of the folder; they must be the ones of the .mat.

    Raises:
        DatasetError: the .mat is missing or damaged, or it lists other images.
    """
    file = find_config(folder, directory, boxes)
    if file is None:
        raise DatasetError(f"CUHK03: no {config_name(boxes)} in {folder.parent}; get it from {SOURCE}")
    parts = _parts(file)
    # The .mat has every name in lower case; an image called 1_001_1_01.PNG is that image all the same.
    own_name = {name.lower(): name for name in names}
    for wrong, what in ((parts.keys() - own_name.keys(), "missing"), (own_name.keys() - parts.keys(), "not in it")):
        if wrong:
            raise DatasetError(
                f"{folder}: {len(wrong)} images are {what}, by {file.name}: {shown(sorted(wrong))}; wanted the images "
                f"that the file lists, of {boxes} boxes: extract them again"
            )
    return {own_name[name]: part for name, part in parts.items()}


def _parts(file: Path) -> dict[str, str]:
    """Each listed name's part; "" where no index has it."""
    wanted = "filelist, train_idx, query_idx and gallery_idx of the new protocol"
    values = load_mat(file, wanted)
    with mat_errors(file, wanted):
        names = [str(name).lower() for name in np.atleast_1d(values["filelist"])]
        parts = [""] * len(names)
        for part in ("train", "query", "gallery"):
            for index in np.atleast_1d(values[f"{part}_idx"]).astype(np.int64).tolist():
                if not 1 <= index <= len(names) or parts[index - 1]:
                    raise DatasetError(f"{file}: {part}_idx has {index}, out of range or twice; get it from {SOURCE}")
                parts[index - 1] = part
    return dict(zip(names, parts, strict=True))
