"""The layout of Market-1501: one folder per part.

DukeMTMC-reID, CUHK03-NP, PersonX, a re-pack of MSMT17 and custom folders also have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from metabin.data.readers.file_listing import Naming, first_names, read_folder
from metabin.data.readers.folder_layout import has_all
from metabin.data.readers.layout_search import Expected
from metabin.errors import DatasetError
from metabin.types import ImageRecord

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
CONTENTS = "bounding_box_train, query and bounding_box_test"


def has_parts(folder: Path, naming: Naming, expected: Expected) -> bool:
    """Return whether a folder has the three folders, with the data set's names in at least one.

    Raises:
        DatasetError: Only some of the folders exist, or they have no images or those of another
            data set.
    """
    return has_all(folder, FOLDERS.values(), naming, expected)


def read_parts(
    root: Path, directory: Path, naming: Naming
) -> Iterator[tuple[str, str, re.Match[str]]]:
    """Yield part, path (relative to `directory`) and name match of every image.

    Raises:
        DatasetError: A folder has no images, or names that do not match.
    """
    for part, name in FOLDERS.items():
        for path, match in read_folder(root / name, directory, naming):
            yield part, path, match


def require_disjoint(records: Sequence[ImageRecord], directory: Path, expected: Expected) -> None:
    """Check that no identity is both in train and in the test.

    Raises:
        DatasetError: Some identities are in both.
    """
    train = {record.pid for record in records if record.part == "train"}
    test = {record.pid for record in records if record.part != "train"}
    if shared := sorted(train & test):
        names = first_names([str(pid) for pid in shared])
        raise DatasetError(
            f"{expected.name}: {directory} has {len(shared)} identities both in train and in the "
            f"test: {names}; two copies were mixed: copy the data set again"
        )
