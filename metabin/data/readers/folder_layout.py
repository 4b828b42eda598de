"""The layout of the smaller data sets: a few folders that have to be there all, say a folder for each camera."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from metabin.data.readers.file_listing import Naming, Wanted, has_matching, image_files, wrong_names
from metabin.data.readers.unused_files import describe, other_images
from metabin.errors import DatasetError


def has_all(place: Path, names: Collection[str], naming: Naming, wanted: Wanted) -> bool:
    """Whether a place has all the folders, with images named as they should be in at least one of them.

    Raises:
        DatasetError: only some of the folders are there, they have no images, or those of another data set.
    """
    lacking = [name for name in names if not (place / name).is_dir()]
    if len(lacking) == len(names):
        return False
    if lacking:
        raise DatasetError(
            f"{wanted.name}: {place} lacks {' and '.join(lacking)}; wanted {wanted.contents}: copy all of it again"
        )
    if any(has_matching(place / name, naming) for name in names):
        return True
    for name in names:
        if images := image_files(place / name, naming.suffixes):
            raise wrong_names(images, len(images), place / name, f"{wanted.name}, names like {naming.example}")
    if others := next((text for name in names if (text := describe(other_images(place / name)))), ""):
        raise DatasetError(
            f"{wanted.name}: {' and '.join(names)} of {place} have no images but {others}; copy the data set again"
        )
    raise DatasetError(
        f"{wanted.name}: {' and '.join(names)} of {place} have no images; remove {place} and copy the data set "
        f"again. {wanted.obtain}"
    )
