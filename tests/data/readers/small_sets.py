"""Tiny copies of the small and the synthetic data sets in their exact format, with stray files.

Each function writes one data set into a folder and returns the folder.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".bmp": "BMP"}
LITTER = ("Thumbs.db", ".DS_Store", "._0001_1.bmp", ".person_0001.png", "readme.txt")


@cache
def image_bytes(suffix: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (4, 8), (90, 60, 30)).save(content, FORMATS[suffix.lower()])
    return content.getvalue()


def write_images(folder: Path, names: str) -> Path:
    """Write images, whose names `names` has, and files of file managers beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names.split():
        (folder / name).write_bytes(image_bytes(Path(name).suffix))
    for name in LITTER:
        (folder / name).write_bytes(b"\0\0\0\1Bud1")
    return folder


def viper(root: Path) -> Path:
    """Write 4 people, 0, 1, 45 and 873; one .BMP."""
    write_images(root / "cam_a", "000_45.bmp 001_0.bmp 045_180.bmp 873_90.bmp")
    write_images(root / "cam_b", "000_90.bmp 001_90.BMP 045_0.bmp 873_0.bmp")
    return root


def viper_splits(root: Path, tested: Sequence[str] = ("001 873", "000 045")) -> Path:
    """Write the people of `viper` in the reference's folders split_1a, split_2a ...

    split_1c has query and gallery exchanged.
    """
    people = {  # angle of each camera
        "000": ("045", "090"),
        "001": ("000", "090"),
        "045": ("180", "000"),
        "873": ("090", "000"),
    }
    names = {
        pid: [f"p{pid}_c{camera}_d{angle}.png" for camera, angle in enumerate(angles, 1)]
        for pid, angles in people.items()
    }
    for number, text in enumerate(tested, 1):
        test = text.split()
        for camera, role in enumerate(("query", "gallery")):
            folder = root / f"split_{number}a" / role
            write_images(folder, " ".join(names[pid][camera] for pid in test))
        train = [name for pid in people if pid not in test for name in names[pid]]
        write_images(root / f"split_{number}a" / "train", " ".join(train))
    write_images(root / "split_1c" / "query", "p001_c2_d090.png")
    return root


def prid2011(root: Path) -> Path:
    """Write 3 shared people (1, 2, 200), 1 more in camera a (201), 2 more in camera b (201, 749).

    multi_shot is beside single_shot.
    """
    names = "person_0001.png person_0002.png person_0200.png person_0201.png"
    write_images(root / "single_shot" / "cam_a", names)
    names = "person_0001.png person_0002.PNG person_0200.png person_0201.png person_0749.png"
    write_images(root / "single_shot" / "cam_b", names)
    for camera in ("cam_a", "cam_b"):
        write_images(root / "multi_shot" / camera / "person_0001", "0001.png")
    return root


def grid(root: Path, train: Sequence[Sequence[int]] = ((1, 4),) * 10) -> Path:
    """Write 4 people (1, 2, 4, 250), 3 distractors, and the train people of ten splits."""
    names = "0001_1_25004_107_32_106_221.jpeg 0002_2_25023_116_134_128_330.jpeg"
    write_images(root / "probe", f"{names} 0004_8_1_2_3_4_5.jpeg 0250_6_9_-1_3_4_5.jpeg")
    gallery = root / "gallery"
    names = "0001_2_25028_84_73_103_216.jpeg 0002_1_25049_47_19_91_185.JPEG"
    write_images(gallery, f"{names} 0004_5_1_2_3_4_5.jpeg 0250_3_9_1_3_4_5.jpeg")
    # distractors: person 0000
    names = "0000_1_25101_1_2_3_4.jpeg 0000_1_25102_1_2_3_4.jpeg"
    write_images(gallery, f"{names} 0000_8_25000_1_2_3_4.jpeg")
    grid_partition(root / "features_and_partitions.mat", train)
    return root


def grid_partition(path: Path, train: Sequence[Sequence[int]]) -> None:
    """Write features_and_partitions.mat.

    trainIdxAll is a cell of structs, whose third field has the train people.
    """
    from scipy.io import savemat

    cells = np.empty((1, len(train)), dtype=object)
    for index, pids in enumerate(train):
        cells[0, index] = {
            "probe": np.arange(4.0).reshape(1, 4),
            "gallery": np.zeros((1, 7)),
            "person": np.array([pids], dtype=np.float64),
        }
    savemat(path, {"features": np.zeros((2, 3)), "trainIdxAll": cells}, do_compression=True)


def ilids(root: Path, folder: str = "Persons") -> Path:
    """Write 3 people with 2, 3 and 4 images (1, 2, 119); person 2 has no image 2."""
    names = "0001001.jpg 0001002.jpg 0002001.jpg 0002003.JPG 0002004.jpg"
    write_images(root / folder, f"{names} 0119001.jpg 0119002.jpg 0119003.jpg 0119004.jpg")
    return root


def randperson(root: Path) -> Path:
    """Write persons 0 and 7999; cameras 0 of scene 0, 1 of scene 3 and 3 of scene 10."""
    names = "000000_s00_c00_f000264.jpg 000000_s03_c01_f001032.jpg 007999_s10_c03_f001632.JPG"
    return write_images(root, names)


def clonedperson(root: Path) -> Path:
    """Write train person 700000 and test person 705228; cameras 0 and 2 of scenes 2, 6 and 12."""
    write_images(root / "train", "700000_s02_c00_f023389.jpg 700000_s06_c00_f023413.jpg")
    write_images(root / "test" / "query", "705228_s02_c02_f001117.jpg")
    write_images(root / "test" / "gallery", "705228_s06_c02_f005521.jpg 705228_s12_c02_f002965.JPG")
    return root


def unrealperson(root: Path) -> Path:
    """Write person 333 of versions 1 and 2, cameras 1 of environments 1 and 3, camera 2 of 3."""
    write_images(root / "unreal_v1.1" / "images", "333_c001_78.jpg")
    write_images(root / "unreal_v3.1" / "images", "333_c001_78.jpg 333_c002_5.jpg")
    write_images(root / "unreal_v3.2" / "images", "333_c002_78.JPG")
    return root


def personx(root: Path, backgrounds: Sequence[str] = ("1", "5")) -> Path:
    """Write train person 1, test person 3 and person 0; the camera has the background's number."""
    for name in backgrounds:
        camera = name if name != "." else "1"
        stem = f"c{camera}s1"
        folder = root / name
        write_images(folder / "bounding_box_train", f"0000_{stem}_01.jpg 0001_{stem}_36.jpg")
        write_images(folder / "query", f"0003_{stem}_01.jpg")
        write_images(folder / "bounding_box_test", f"0003_{stem}_02.jpg 0003_{stem}_03.JPG")
    return root
