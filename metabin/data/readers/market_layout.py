"""The layout of Market-1501, which DukeMTMC-reID, CUHK03-NP and a re-pack of MSMT17 share: a folder for each part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from metabin.data.readers.file_listing import Naming, Wanted, read_folder, shown
from metabin.data.readers.folder_layout import has_all
from metabin.errors import DatasetError

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
CONTENTS = "bounding_box_train, query and bounding_box_test"


def has_parts(folder: Path, naming: Naming, wanted: Wanted) -> bool:
    """Whether a folder has the three folders, with images named as they should be in at least one.

    Raises:
        DatasetError: only some of the folders are there, they have no images, or those of another data set.
    """
    return has_all(folder, FOLDERS.values(), naming, wanted)


def read_parts(root: Path, directory: Path, naming: Naming) -> Iterator[tuple[str, str, re.Match[str]]]:
    """Of every image its part, its path relative to `directory` and its name's match.

    Raises:
        DatasetError: a folder without images, or names that do not match.
    """
    for part, name in FOLDERS.items():
        for path, match in read_folder(root / name, directory, naming):
            yield part, path, match


def refuse_shared(train: set[int], test: set[int], directory: Path, wanted: Wanted) -> None:
    """Raises DatasetError where an identity is both in train and in the test, whose identities must be new."""
    if shared := sorted(train & test):
        raise DatasetError(
            f"{wanted.name}: {directory} has {len(shared)} identities both in train and in the test: "
            f"{shown([str(pid) for pid in shared])}; two copies were mixed: copy the data set again"
        )
