"""Tiny copies of the small and of the drawn data sets, true in format: folders, names, what lies about.

Each function writes one data set into a folder that it returns, and nothing else decides what is in it.
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
    """Images whose names stand in one string, and what file managers leave beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names.split():
        (folder / name).write_bytes(image_bytes(Path(name).suffix))
    for name in LITTER:
        (folder / name).write_bytes(b"\0\0\0\1Bud1")
    return folder


def viper(root: Path) -> Path:
    """4 people, 0, 1, 45 and 873; one .BMP."""
    write_images(root / "cam_a", "000_45.bmp 001_0.bmp 045_180.bmp 873_90.bmp")
    write_images(root / "cam_b", "000_90.bmp 001_90.BMP 045_0.bmp 873_0.bmp")
    return root


def viper_splits(root: Path, tested: Sequence[str] = ("001 873", "000 045")) -> Path:
    """The people of `viper` in the reference's folders split_1a, split_2a, ...; split_1c is of the other direction."""
    people = {"000": ("045", "090"), "001": ("000", "090"), "045": ("180", "000"), "873": ("090", "000")}
    names = {
        pid: [f"p{pid}_c{camera}_d{angle}.png" for camera, angle in enumerate(angles, 1)]
        for pid, angles in people.items()
    }
    for number, text in enumerate(tested, 1):
        test = text.split()
        for camera, role in enumerate(("query", "gallery")):
            write_images(root / f"split_{number}a" / role, " ".join(names[pid][camera] for pid in test))
        train = [name for pid in people if pid not in test for name in names[pid]]
        write_images(root / f"split_{number}a" / "train", " ".join(train))
    write_images(root / "split_1c" / "query", "p001_c2_d090.png")
    return root


def prid2011(root: Path) -> Path:
    """3 shared people (1, 2, 200), 1 more in camera a (201), 2 more in camera b (201, 749); multi_shot beside it."""
    write_images(root / "single_shot" / "cam_a", "person_0001.png person_0002.png person_0200.png person_0201.png")
    names = "person_0001.png person_0002.PNG person_0200.png person_0201.png person_0749.png"
    write_images(root / "single_shot" / "cam_b", names)
    for camera in ("cam_a", "cam_b"):
        write_images(root / "multi_shot" / camera / "person_0001", "0001.png")
    return root


def grid(root: Path, train: Sequence[Sequence[int]] = ((1, 4),) * 10) -> Path:
    """4 people (1, 2, 4, 250), 3 distractors, and who trains in each of ten splits."""
    names = "0001_1_25004_107_32_106_221.jpeg 0002_2_25023_116_134_128_330.jpeg"
    write_images(root / "probe", f"{names} 0004_8_1_2_3_4_5.jpeg 0250_6_9_-1_3_4_5.jpeg")
    names = "0001_2_25028_84_73_103_216.jpeg 0002_1_25049_47_19_91_185.JPEG 0004_5_1_2_3_4_5.jpeg 0250_3_9_1_3_4_5.jpeg"
    write_images(root / "gallery", names)
    write_images(root / "gallery", "0000_1_25101_1_2_3_4.jpeg 0000_1_25102_1_2_3_4.jpeg 0000_8_25000_1_2_3_4.jpeg")
    grid_partition(root / "features_and_partitions.mat", train)
    return root


def grid_partition(path: Path, train: Sequence[Sequence[int]]) -> None:
    """features_and_partitions.mat: trainIdxAll is a cell of structs, whose third field has the train people."""
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
    """3 people with 2, 3 and 4 images (1, 2, 119); person 2 has no image 2."""
    names = "0001001.jpg 0001002.jpg 0002001.jpg 0002003.JPG 0002004.jpg"
    write_images(root / folder, f"{names} 0119001.jpg 0119002.jpg 0119003.jpg 0119004.jpg")
    return root


def randperson(root: Path) -> Path:
    """Persons 0 and 7999; the first camera of scene 0, the second of scene 3, the last of scene 10."""
    names = "000000_s00_c00_f000264.jpg 000000_s03_c01_f001032.jpg 007999_s10_c03_f001632.JPG"
    return write_images(root, names)


def clonedperson(root: Path) -> Path:
    """Person 700000 trains, person 705228 is tested; cameras 0 and 2 of scenes 2, 6 and 12."""
    write_images(root / "train", "700000_s02_c00_f023389.jpg 700000_s06_c00_f023413.jpg")
    write_images(root / "test" / "query", "705228_s02_c02_f001117.jpg")
    write_images(root / "test" / "gallery", "705228_s06_c02_f005521.jpg 705228_s12_c02_f002965.JPG")
    return root


def unrealperson(root: Path) -> Path:
    """Person 333 of versions 1 and 2, cameras 1 of environments 1 and 3, camera 2 of environment 3."""
    write_images(root / "unreal_v1.1" / "images", "333_c001_78.jpg")
    write_images(root / "unreal_v3.1" / "images", "333_c001_78.jpg 333_c002_5.jpg")
    write_images(root / "unreal_v3.2" / "images", "333_c002_78.JPG")
    return root


def personx(root: Path, backgrounds: Sequence[str] = ("1", "5")) -> Path:
    """Person 1 trains, person 3 is tested, person 0 is there; the camera's number is the background's."""
    for name in backgrounds:
        camera = name if name != "." else "1"
        write_images(root / name / "bounding_box_train", f"0000_c{camera}s1_01.jpg 0001_c{camera}s1_36.jpg")
        write_images(root / name / "query", f"0003_c{camera}s1_01.jpg")
        write_images(root / name / "bounding_box_test", f"0003_c{camera}s1_02.jpg 0003_c{camera}s1_03.JPG")
    return root
