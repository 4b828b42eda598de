"""The split of CUHK03 into 767 train and 700 test people, from the .mat files of its authors.

A file has `filelist`, the names of all images, and `train_idx`, `query_idx`, `gallery_idx`, which
count them from 1. Source: Zhong et al., CVPR 2017.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metabin.data.readers.extraction import load_mat, mat_errors, whole_numbers
from metabin.data.readers.file_listing import first_names
from metabin.errors import DatasetError

SOURCE = "https://github.com/zhunzhong07/person-re-ranking, evaluation/data/CUHK03 (no form)"


def config_name(boxes: str) -> str:
    """Return the file's name for "detected" or "labeled" boxes."""
    return f"cuhk03_new_protocol_config_{boxes}.mat"


def find_config(folder: Path, directory: Path, boxes: str) -> Path | None:
    """Return the .mat in `folder`, its parent or a folder above up to `directory`, or None."""
    above = [place for place in folder.parents if place.is_relative_to(directory)]
    places = dict.fromkeys([folder, folder.parent, *above])
    files = (place / config_name(boxes) for place in places)
    return next((file for file in files if file.is_file()), None)


def read_config(folder: Path, directory: Path, boxes: str, names: set[str]) -> dict[str, str]:
    """Return the part of every image of `folder`, from the .mat of `find_config`.

    Args:
        folder: Folder of the images.
        directory: Last folder that is searched for the .mat.
        boxes: "detected" or "labeled".
        names: Images of the folder; they must be those of the .mat.

    Raises:
        DatasetError: The .mat is missing or damaged, or lists other images.
    """
    file = find_config(folder, directory, boxes)
    if file is None:
        raise DatasetError(
            f"CUHK03: no {config_name(boxes)} in {folder.parent}; get it from {SOURCE}"
        )
    parts = _parts(file)
    # The .mat has every name in lower case; 1_001_1_01.PNG is the same image.
    by_lower = {name.lower(): name for name in names}
    _require_none(parts.keys() - by_lower.keys(), "are missing", folder, file, boxes)
    _require_none(by_lower.keys() - parts.keys(), "are not in it", folder, file, boxes)
    return {by_lower[name]: part for name, part in parts.items()}


def _require_none(wrong: set[str], problem: str, folder: Path, file: Path, boxes: str) -> None:
    if wrong:
        raise DatasetError(
            f"{folder}: {len(wrong)} images {problem}, by {file.name}: "
            f"{first_names(sorted(wrong))}; expected the images that the file lists, of {boxes} "
            "boxes: extract them again"
        )


def _parts(file: Path) -> dict[str, str]:
    """Return each listed name's part; "" for a name without an index."""
    expected = "filelist, train_idx, query_idx and gallery_idx of the new protocol"
    values = load_mat(file, expected)
    with mat_errors(file, expected):
        names = [str(name).lower() for name in np.atleast_1d(values["filelist"])]
        if len(set(names)) < len(names):
            raise ValueError("filelist has a name twice")
        parts = [""] * len(names)
        for part in ("train", "query", "gallery"):
            indices = whole_numbers(values[f"{part}_idx"])
            if not indices:
                raise ValueError(f"{part}_idx is empty")
            for index in indices:
                if not 1 <= index <= len(names) or parts[index - 1]:
                    raise DatasetError(
                        f"{file}: {part}_idx has {index}, out of range or twice; get it from "
                        f"{SOURCE}"
                    )
                parts[index - 1] = part
    return dict(zip(names, parts, strict=True))
