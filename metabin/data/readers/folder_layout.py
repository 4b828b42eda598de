"""The layout of the smaller data sets: a few folders, all required, say one per camera."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from metabin.data.readers.file_listing import Naming, has_matching, image_files, wrong_names
from metabin.data.readers.layout_search import Expected
from metabin.data.readers.unused_files import describe, other_images
from metabin.errors import DatasetError


def has_all(folder: Path, names: Collection[str], naming: Naming, expected: Expected) -> bool:
    """Return whether a folder has all these folders, with the data set's names in at least one.

    Raises:
        DatasetError: Only some of the folders exist, or they have no images or those of another
            data set.
    """
    lacking = [name for name in names if not (folder / name).is_dir()]
    if len(lacking) == len(names):
        return False
    if lacking:
        raise DatasetError(
            f"{expected.name}: {folder} lacks {' and '.join(lacking)}; expected "
            f"{expected.contents}: copy all of it again"
        )
    if any(has_matching(folder / name, naming) for name in names):
        return True
    raise _without_matching(folder, names, naming, expected)


def _without_matching(
    folder: Path, names: Collection[str], naming: Naming, expected: Expected
) -> DatasetError:
    """Return the error for folders without a matching name: other names, other files, or none."""
    for name in names:
        if images := image_files(folder / name, naming.suffixes):
            examples = f"{expected.name}, names like {naming.example}"
            return wrong_names(images, len(images), folder / name, examples)
    places = f"{expected.name}: {' and '.join(names)} of {folder} have no images"
    for name in names:
        if others := describe(other_images(folder / name)):
            return DatasetError(f"{places} but {others}; copy the data set again")
    return DatasetError(f"{places}; remove {folder} and copy the data set again. {expected.obtain}")
