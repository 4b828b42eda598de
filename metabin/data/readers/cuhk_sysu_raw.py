"""Crop people out of the scenes of CUHK-SYSU, with the same pixels as the paper's MATLAB script.

annotation/Person.mat has for every person `idname` ("p1"), `nAppear` and as many `scene`: `imname`
("s123.jpg"), `idlocate` [x y w h] and `ishard`. MATLAB counts pixels from 1 and the script takes
im(y:y+h, x:x+w), both ends included: rows y-1 to y+h-1 and columns x-1 to x+w-1 counted from 0, so
a crop is (h+1) x (w+1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from metabin.data.readers.extraction import load_mat, mat_errors, whole_numbers
from metabin.errors import DatasetError
from metabin.images import read_image

ANNOTATION = "annotation/Person.mat"
SCENES = "Image/SSM"
PERSON = re.compile("p([0-9]+)")
SCENE = re.compile(r"s([0-9]+)\.jpg")


@dataclass(frozen=True, slots=True)
class Box:
    """One person in one scene.

    Attributes:
        name: File name of the crop.
        scene: File name of the scene.
        x, y: Upper left corner as in the annotation, counted from 1.
        width, height: As in the annotation.
    """

    name: str
    scene: str
    x: int
    y: int
    width: int
    height: int


def crops(root: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield all crops, scene by scene.

    Yields:
        Names like p00001_n01_s00001_hard0.png, and pixels, (H, W, 3) uint8.

    Raises:
        DatasetError: The annotation or a scene is missing or damaged, or a box exceeds its scene.
    """
    boxes = sorted(_boxes(root / ANNOTATION), key=lambda box: (box.scene, box.name))
    for name, in_scene in groupby(boxes, key=lambda box: box.scene):
        pixels = _pixels(root / SCENES / name)
        for box in in_scene:
            yield box.name, _crop(pixels, box, root / SCENES / name)


def _boxes(file: Path) -> list[Box]:
    expected = "Person, with idname, nAppear and scene of every person"
    values = load_mat(file, expected)
    with mat_errors(file, expected):
        boxes = []
        for person in np.atleast_1d(values["Person"]):
            scenes = np.atleast_1d(person.scene)[: int(person.nAppear)]
            if len(scenes) < int(person.nAppear):
                raise ValueError(f"{person.idname} has {len(scenes)} of {person.nAppear} scenes")
            for number, scene in enumerate(scenes, start=1):
                boxes.append(_box(person.idname, number, scene))
        return boxes


def _box(idname: str, number: int, scene: Any) -> Box:
    """Return the box of a MATLAB struct, its small integers as int: their sums may overflow."""
    person = PERSON.fullmatch(idname)
    picture = SCENE.fullmatch(scene.imname)
    if person is None or picture is None:
        raise ValueError(
            f"person {idname!r} in scene {scene.imname!r}, expected names like 'p1' and 's123.jpg'"
        )
    x, y, width, height = whole_numbers(scene.idlocate)
    pid = int(person[1])
    name = f"p{pid:05d}_n{number:02d}_s{int(picture[1]):05d}_hard{int(scene.ishard)}.png"
    return Box(name, scene.imname, x, y, width, height)


def _crop(pixels: np.ndarray, box: Box, file: Path) -> np.ndarray:
    # MATLAB's im(y:y+h, x:x+w), counted from 1, is [y - 1 : y + h, x - 1 : x + w] counted from 0.
    bottom = box.y + box.height
    right = box.x + box.width
    if not (1 <= box.y <= bottom <= pixels.shape[0] and 1 <= box.x <= right <= pixels.shape[1]):
        raise DatasetError(
            f"{file} is {pixels.shape[1]} x {pixels.shape[0]} pixels; expected one with columns "
            f"{box.x} to {right} and rows {box.y} to {bottom}, for {box.name}: copy the scenes "
            "again"
        )
    return np.ascontiguousarray(pixels[box.y - 1 : bottom, box.x - 1 : right])


def _pixels(file: Path) -> np.ndarray:
    """Return a scene as it is stored: the boxes count stored pixels, as MATLAB's imread does."""
    return np.asarray(read_image(file, upright=False))
