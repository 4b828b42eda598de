"""Tiny copies of the large data sets in their exact format: folders, names, lists, stray files.

Each function writes one data set into a folder and returns the folder. Images have 8 x 16 pixels.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from PIL import Image

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


def write_image(path: Path) -> None:
    """Write an image of one colour, which depends on its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = zlib.crc32(path.name.encode()).to_bytes(4, "big")[:3]
    Image.new("RGB", (8, 16), tuple(colour)).save(path, FORMATS[path.suffix.lower()])


def write_images(folder: Path, names: str) -> None:
    """Write images; `names` has their names, separated by blanks."""
    for name in names.split():
        write_image(folder / name)


def litter(folder: Path) -> None:
    """Write files of file managers into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden = ("._0002_c1s1_000451_03.jpg", "._001_1.png")  # macOS: beside images on other disks
    for name in ("Thumbs.db", ".DS_Store", *hidden, "desktop.ini"):
        (folder / name).write_bytes(b"\0\0\0\1Bud1")


def market1501(root: Path) -> Path:
    """Write 2 train people (2, 7), 2 test people (1, 1501), 2 distractors, 1 junk; one .JPG."""
    train = root / "bounding_box_train"
    write_images(train, "0002_c1s1_000451_03.jpg 0002_c6s2_000001_00.jpg 0007_c3s3_077419_03.JPG")
    write_images(root / "query", "0001_c1s1_001051_00.jpg 1501_c6s4_001877_00.jpg")
    test = root / "bounding_box_test"
    write_images(test, "0001_c2s1_000301_00.jpg 1501_c1s6_000126_01.jpg 1501_c2s6_000126_01.jpg")
    # distractors and junk
    write_images(test, "0000_c1s1_000151_01.jpg 0000_c5s3_999999_99.jpg -1_c3s1_000401_03.jpg")
    # folders that the reader ignores
    write_images(root / "gt_bbox", "0001_c1s1_001051_00.jpg")
    (root / "gt_query").mkdir()
    (root / "readme.txt").write_text("Please DO NOT distribute.\n")
    for folder in ("bounding_box_train", "bounding_box_test", "query"):
        litter(root / folder)
    return root


def dukemtmcreid(root: Path) -> Path:
    """Write 1 train person (1), 1 test person (5) and person 7140, who is in the gallery only."""
    write_images(root / "bounding_box_train", "0001_c2_f0046182.jpg 0001_c8_f0046302.jpg")
    write_images(root / "query", "0005_c2_f0046985.jpg")
    write_images(root / "bounding_box_test", "0005_c5_f0051341.jpg 7140_c1_f0133441.jpg")
    (root / "LICENSE_DukeMTMC-reID.txt").write_text("CC BY-NC-SA 4.0\n")
    litter(root / "query")
    return root


MSMT17_LISTS = {  # lines: path and pid
    "list_train.txt": "0000/0000_000_01_0303morning_0015_0.jpg 0\n0000/0000_001_15_0303noon_0032_1_ex.jpg 0\n",
    "list_val.txt": "1040/1040_008_13_0302afternoon_0119_0.jpg 1040\n",
    "list_query.txt": "0000/0000_000_05_0114morning_0001_0.jpg 0\n",
    "list_gallery.txt": "0000/0000_001_10_0114noon_0002_0.jpg 0\n3059/3059_000_09_0113noon_0007_2.jpg 3059\n",
}


def msmt17(root: Path, version: str) -> Path:
    """Write V1 or V2: train people 0 and 1040, test people 0 and 3059, and an unlisted image."""
    train, test = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}[version]
    for name, text in MSMT17_LISTS.items():
        folder = root / (train if name in ("list_train.txt", "list_val.txt") else test)
        write_images(folder, " ".join(line.split()[0] for line in text.splitlines()))
        (root / name).write_text(text)
    # in no list
    write_image(root / test / "3059" / "3059_001_09_0113noon_0008_2.jpg")
    for folder in (root, root / train, root / train / "0000"):
        litter(folder)
    return root


def msmt17_repack(root: Path) -> Path:
    """Write the re-pack, with cameras of two digits; train and test both start at person 0."""
    write_images(root / "bounding_box_train", "0000_c1_0000.jpg 0000_c15_0001.jpg 1040_c9_0007.jpg")
    write_images(root / "query", "0000_c1_0000.jpg")
    write_images(root / "bounding_box_test", "0000_c14_0030.jpg 3059_c10_0001.jpg")
    litter(root / "query")
    return root


def cuhk02(root: Path) -> Path:
    """Write one person per pair, and a second one, 971, in P1; two images per camera, one .PNG."""
    for pair in range(1, 6):
        for camera in (1, 2):
            folder = root / f"P{pair}" / f"cam{camera}"
            # images 1 and 2 of camera 1, 3 and 4 of camera 2
            write_images(folder, f"001_{2 * camera - 1}.png 001_{2 * camera}.png")
            litter(folder)
    write_images(root / "P1" / "cam1", "971_1.png 971_2.PNG")
    write_images(root / "P1" / "cam2", "971_3.png 971_4.png")
    litter(root)
    return root


def cuhk03_np(root: Path) -> Path:
    """Write CUHK03-NP; train and test number their people alike; labeled has one image less."""
    for boxes in ("detected", "labeled"):
        train = root / boxes / "bounding_box_train"
        write_images(train, "0001_c1_1.png 0001_c2_6.png 0767_c1_2.png")
        write_images(root / boxes / "query", "0001_c1_1.png 0700_c2_6.png")
        write_images(root / boxes / "bounding_box_test", "0001_c2_7.png 0700_c1_10.png")
        litter(root / boxes / "query")
    (root / "labeled" / "bounding_box_train" / "0767_c1_2.png").unlink()
    return root


def cuhk_sysu_metabin(root: Path) -> Path:
    """Write the crops of the paper's MATLAB script: persons 1 (two images) and 11934."""
    names = "p00001_n01_s00001_hard0.png p00001_n02_s16929_hard1.png p11934_n01_s18184_hard0.png"
    write_images(root / "cropped_image", names)
    litter(root / "cropped_image")
    return root


def cuhk_sysu_torchreid(root: Path) -> Path:
    """Write the pack of torchreid and fast-reid: persons 7 and 11422."""
    write_images(root / "cropped_images", "p7_s1_1.jpg p7_s23_2.JPG p11422_s16929_1.jpg")
    litter(root / "cropped_images")
    return root
