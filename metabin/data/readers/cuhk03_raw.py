"""Read the images of CUHK03's own cuhk-03.mat (MATLAB v7.3, which is HDF5).

The file has, for `detected` and for `labeled`, a cell for each of the five camera pairs; in it a
row for each person, with 10 cells: 5 images of view 1, then 5 of view 2, some of them empty. HDF5
has every array's axes in reverse order. Its 20 old test splits (`testsets`) are not read: the new
protocol replaced them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metabin.data.readers.extraction import mat_errors

RAW_FILE = "cuhk-03.mat"
IMAGES_PER_VIEW = 5


def raw_file(folder: Path) -> Path | None:
    """Return the cuhk-03.mat of a folder or of the cuhk03_release in it, or None."""
    places = (folder / RAW_FILE, folder / "cuhk03_release" / RAW_FILE)
    return next((place for place in places if place.is_file()), None)


def raw_images(file: Path, boxes: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the images of "detected" or "labeled" boxes.

    Yields:
        Names like 1_001_2_06.png (pair, person, view, image) and pixels, (H, W, 3) uint8.

    Raises:
        DatasetError: The file is damaged, or is another file.
    """
    import h5py  # here, as nothing else needs it

    with mat_errors(file, f"the {RAW_FILE} of cuhk03_release"), h5py.File(file, "r") as mat:
        for pair, pair_cell in enumerate(_transposed(mat[boxes])[:, 0], start=1):
            for person, images in enumerate(_transposed(mat[pair_cell]), start=1):
                for index, reference in enumerate(images, start=1):
                    pixels = _transposed(mat[reference])
                    if pixels.size == 0 or pixels.ndim < 3:
                        continue  # an empty cell
                    if pixels.dtype != np.uint8 or pixels.shape[2:] != (3,):
                        raise ValueError(
                            f"image {index} of person {person} is {pixels.dtype} {pixels.shape}"
                        )
                    view = 1 if index <= IMAGES_PER_VIEW else 2
                    name = f"{pair}_{person:03d}_{view}_{index:02d}.png"
                    yield name, np.ascontiguousarray(pixels)


def _transposed(dataset: Any) -> np.ndarray:
    """Return an array with MATLAB's order of axes."""
    return np.asarray(dataset).T
