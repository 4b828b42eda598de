"""Images out of a data set's own containers: MATLAB files to read, and folders of pngs to fill, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metabin.data.readers.file_listing import image_files
from metabin.errors import DatasetError


def extraction_wanted(name: str, root: Path) -> DatasetError:
    """The error for raw data that have not been extracted: the command that does it, in place."""
    return DatasetError(
        f"{root} has the raw data alone; wanted images: `python -m stages.download --domain {name}` writes them there"
    )


@contextmanager
def mat_errors(path: Path, wanted: str) -> Iterator[None]:
    """Turns whatever goes wrong inside into a DatasetError that names the .mat file and what was wanted of it."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # a foreign binary file: scipy and h5py raise a dozen types, one of them plain Exception
        reason = f"{type(error).__name__}: {error}"
        raise DatasetError(f"{path} cannot be read ({reason}); wanted {wanted}: copy it again") from None


def load_mat(path: Path, wanted: str) -> dict[str, Any]:
    """The variables of a MATLAB file (v5, not v7.3): structs as objects with attributes, axes of length 1 dropped.

    Raises:
        DatasetError: the file is missing or damaged.
    """
    from scipy.io import loadmat  # here, as only extraction and one layout need scipy

    with mat_errors(path, wanted):
        return loadmat(path, squeeze_me=True, struct_as_record=False)


def fill_folder(
    folder: Path, images: Iterable[tuple[str, np.ndarray]], on_image: Callable[[int], None] | None = None
) -> int:
    """Write images as pngs into a new folder, which appears, complete, at the very end.

    A folder that has images already stays as it is, and `images` is not read.

    Args:
        images: File names and pixels, (H, W, 3) uint8.
        on_image: Called with the number of images that are new, as they come.

    Returns:
        The number of images in the folder.

    Raises:
        DatasetError: no image comes, or two have one name.
    """
    if folder.is_dir() and (names := image_files(folder, (".png",))):
        return len(names)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        num_images = _write(unfinished, images, on_image or _ignore)
        if not num_images:
            raise DatasetError(f"no images for {folder} were found; copy the data set again")
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return num_images


def _write(folder: Path, images: Iterable[tuple[str, np.ndarray]], on_image: Callable[[int], None]) -> int:
    num_images = 0
    for name, pixels in images:
        if (folder / name).exists():
            raise DatasetError(f"two images are called {name}; copy the data set's annotations again")
        Image.fromarray(pixels).save(folder / name)
        on_image(1)
        num_images += 1
    return num_images


def _ignore(num_new: int) -> None:
    """Nobody wants to know."""
