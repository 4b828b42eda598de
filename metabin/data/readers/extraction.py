"""Read MATLAB files, and write images out of a data set's own containers into folders of pngs."""

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


def extraction_needed(name: str, root: Path) -> DatasetError:
    """Return the error for raw data without extracted images; it names the command."""
    return DatasetError(
        f"{root} has the raw data only; expected images: "
        f"`python -m stages.download --domain {name}` writes them there"
    )


@contextmanager
def mat_errors(path: Path, expected: str) -> Iterator[None]:
    """Convert any error inside into a DatasetError with the .mat file and its expected content."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # scipy and h5py raise a dozen types, one of them plain Exception
        reason = f"{type(error).__name__}: {error}"
        raise DatasetError(
            f"{path} cannot be read ({reason}); expected {expected}: copy it again"
        ) from None


def load_mat(path: Path, expected: str) -> dict[str, Any]:
    """Return the variables of a MATLAB file (v5, not v7.3).

    Structs become objects with attributes; axes of length 1 are dropped.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    from scipy.io import loadmat  # here, as only extraction and one layout need scipy

    with mat_errors(path, expected):
        return loadmat(path, squeeze_me=True, struct_as_record=False)


def whole_numbers(values: Any) -> list[int]:
    """Return the numbers of a MATLAB array, whatever their type.

    Raises:
        ValueError: One of them is no whole number: a conversion to int would round it.
    """
    numbers = np.asarray(values).ravel().tolist()
    if wrong := [number for number in numbers if number != int(number)]:
        raise ValueError(f"found {wrong[0]}, expected whole numbers")
    return [int(number) for number in numbers]


def fill_folder(
    folder: Path,
    images: Iterable[tuple[str, np.ndarray]],
    on_image: Callable[[int], None] | None = None,
) -> int:
    """Write images as pngs into a new folder, which appears when it is complete.

    A folder that already has images stays as it is, and `images` is not read.

    Args:
        folder: The folder to write.
        images: File names and pixels, (H, W, 3) uint8.
        on_image: Called with the number of new images, as they are written.

    Returns:
        The number of images in the folder.

    Raises:
        DatasetError: There are no images, or two of them have one name.
    """
    if folder.is_dir() and (names := image_files(folder, (".png",))):
        return len(names)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        num_images = _write(unfinished, images, on_image or _ignore)
        if not num_images:
            raise DatasetError(f"{folder}: no images to extract; copy the data set again")
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return num_images


def _write(
    folder: Path,
    images: Iterable[tuple[str, np.ndarray]],
    on_image: Callable[[int], None],
) -> int:
    num_images = 0
    for name, pixels in images:
        if (folder / name).exists():
            raise DatasetError(
                f"two images are called {name}; copy the data set's annotations again"
            )
        Image.fromarray(pixels).save(folder / name)
        on_image(1)
        num_images += 1
    return num_images


def _ignore(num_new: int) -> None:
    """Ignore the progress: the default of `on_image`."""
