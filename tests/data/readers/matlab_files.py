"""Tiny copies of CUHK03's cuhk-03.mat and split, and of CUHK-SYSU's scenes and annotation."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from large_sets import litter
from PIL import Image
from scipy.io import savemat

# Camera pair, person, then the cells (1 to 5: view 1, 6 to 10: view 2) that have an image.
DETECTED = [
    (1, 1, (1, 5, 6)),
    (1, 2, (2, 10)),
    (2, 1, (1, 6)),
    (3, 1, (1, 7)),
    (4, 1, (3, 6)),
    (5, 1, (1, 2, 8)),
]
# Labeled boxes lack image 1 of person 1 of pair 3.
LABELED = [*DETECTED[:3], (3, 1, (7,)), *DETECTED[4:]]
TRAIN = {(1, 1), (2, 1), (4, 1)}
HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Tue Nov 11 15:58:05 2014 HDF5 schema 1.00 ."


def pixels_of(pair: int, person: int, cell: int) -> np.ndarray:
    """Return pixels (3, 2, 3): the sum of terms for pair, person, cell, row, column and channel."""
    # 40 pair + 20 (person - 1) + cell + row + 3 column + 7 channel
    base = 40 * pair + 20 * (person - 1) + cell
    rows = np.arange(3).reshape(3, 1, 1)
    columns = np.arange(2).reshape(1, 2, 1)
    return (base + rows + 3 * columns + 7 * np.arange(3)).astype(np.uint8)


def cuhk03_raw(root: Path) -> Path:
    """Write cuhk03_release/cuhk-03.mat (v7.3) and the new-protocol .mat files (v5) beside it."""
    file = root / "cuhk03_release" / "cuhk-03.mat"
    file.parent.mkdir(parents=True)
    with h5py.File(file, "w", userblock_size=512) as mat:
        for boxes, people in (("detected", DETECTED), ("labeled", LABELED)):
            of_pair = {pair: [row for row in people if row[0] == pair] for pair in range(1, 6)}
            pairs = [_person_cell(mat, pair, rows) for pair, rows in of_pair.items()]
            _dataset(mat, boxes, np.array([pairs], h5py.ref_dtype), "cell")
        splits = [_add(mat, np.array([[1.0, 3.0], [2.0, 1.0]]), "double") for _ in range(20)]
        _dataset(mat, "testsets", np.array([splits], h5py.ref_dtype), "cell")
    with file.open("r+b") as raw:
        raw.write(HEADER.ljust(124) + b"\x00\x02IM")
    cuhk03_config(root, "detected", DETECTED)
    cuhk03_config(root, "labeled", LABELED)
    return root


def names_of(people) -> list[str]:
    """Return the usual names of the images."""
    return [
        f"{pair}_{person:03d}_{1 if cell <= 5 else 2}_{cell:02d}.png"
        for pair, person, cells in people
        for cell in cells
    ]


def cuhk03_config(folder: Path, boxes: str, people) -> None:
    """Write a new-protocol .mat: the first image of a test person is the query."""
    names = names_of(people)
    labels = [pair * 10 + person for pair, person, cells in people for _ in cells]
    parts: dict[str, list[int]] = {"train": [], "query": [], "gallery": []}
    index = 1
    for pair, person, cells in people:
        for order in range(len(cells)):
            test_part = "gallery" if order else "query"
            parts["train" if (pair, person) in TRAIN else test_part].append(index)
            index += 1
    filelist = np.empty((len(names), 1), object)
    filelist[:, 0] = names
    cameras = np.array([int(name.split("_")[2]) for name in names], np.uint8)
    values = {
        "camId": cameras.reshape(-1, 1),
        "filelist": filelist,
        "labels": np.array([labels]).T,
    }
    for part, indices in parts.items():
        values[f"{part}_idx"] = np.array(indices, np.uint16).reshape(-1, 1)
    savemat(folder / f"cuhk03_new_protocol_config_{boxes}.mat", values)


# 4 x 3 blocks of 8 x 8 pixels, each of one grey, which JPEG keeps exactly at quality 100.
GREYS = np.array([[10, 20, 30, 40], [50, 60, 70, 80], [90, 100, 110, 120]], np.uint8)


def cuhk_sysu_raw(root: Path, people: list[tuple[str, list[tuple[str, list[int], int]]]]) -> Path:
    """Write annotation/Person.mat and scenes s1.jpg and s18184.jpg of 32 x 24 pixels.

    The grey values of the second scene are 100 higher.

    Args:
        people: `idname` and its scenes: `imname`, `idlocate` [x y w h], `ishard`. Boxes in arrays keep their type.
    """
    (root / "annotation").mkdir(parents=True)
    (root / "Image" / "SSM").mkdir(parents=True)
    fields = [("imname", object), ("idlocate", object), ("ishard", object)]
    rows = []
    for idname, scenes in people:
        places = [
            (name, np.array([box], getattr(box, "dtype", np.uint16)), np.uint8(hard)) for name, box, hard in scenes
        ]
        rows.append((idname, np.uint8(len(scenes)), np.array([places], fields)))
    persons = np.array([rows], [("idname", object), ("nAppear", object), ("scene", object)])
    savemat(root / "annotation" / "Person.mat", {"Person": persons})
    for name, added in (("s1.jpg", 0), ("s18184.jpg", 100)):
        grey = Image.fromarray(np.kron(GREYS + added, np.ones((8, 8), np.uint8)).astype(np.uint8))
        grey.convert("RGB").save(root / "Image" / "SSM" / name, quality=100, subsampling=0)
    litter(root / "Image" / "SSM")
    return root


def _person_cell(mat: h5py.File, pair: int, people) -> h5py.Reference:
    """Write the people of a camera pair: a cell of (people, 10), so (10, people) in the file."""
    cell = np.empty((len(people), 10), h5py.ref_dtype)
    for row, (_, person, present) in enumerate(people):
        for index in range(1, 11):
            if index in present:
                cell[row, index - 1] = _add(mat, pixels_of(pair, person, index).T, "uint8")
            else:
                # MATLAB stores an empty cell as its shape, with a mark.
                shape = np.zeros(2, np.uint64)
                cell[row, index - 1] = _add(mat, shape, "double", MATLAB_empty=np.uint8(1))
    return _add(mat, cell.T, "cell")


def _add(mat: h5py.File, values: np.ndarray, kind: str, **attributes) -> h5py.Reference:
    group = mat.require_group("#refs#")
    return _dataset(group, f"ref{len(group)}", values, kind, **attributes).ref


def _dataset(place, name: str, values: np.ndarray, kind: str, **attributes) -> h5py.Dataset:
    dataset = place.create_dataset(name, data=values, dtype=values.dtype)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    dataset.attrs.update(attributes)
    return dataset
