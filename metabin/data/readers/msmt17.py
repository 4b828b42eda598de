"""MSMT17: 4,101 people seen by 15 cameras on a campus, indoors and outdoors, over a month.

V2 is V1 with blurred faces.
Names: `0000_001_01_0303morning_0008_0_ex.jpg` is person 0 of its part, camera 1; four lists define
the parts. Re-packs in the layout of Market-1501 have the same names, or `0000_c14_0030.jpg`, with
cameras of two digits.
Source: Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR
2018.
Licence: research only, under a signed agreement; no redistribution.
Obtain: sign the agreement with the authors (http://www.pkuvmc.com). Results on V1 and on V2 are not
comparable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from metabin.data.readers.file_listing import (
    Naming,
    first_names,
    image_files,
    parse_names,
    relative_path,
    subfolders,
)
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.data.readers.market_layout import CONTENTS, FOLDERS, has_parts, read_parts
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "msmt17"
COUNTS: Mapping[str, tuple[int, int]] = {  # of every layout
    "train": (1_041, 32_621),  # list_train 30,248 and list_val 2,373
    "query": (3_060, 11_659),
    "gallery": (3_060, 82_161),
    "all": (4_101, 126_441),
}
NUM_TRAIN_IDS = 1_041
IMAGE_FOLDERS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
LISTS = {
    "list_train.txt": "train",
    "list_val.txt": "train",
    "list_query.txt": "query",
    "list_gallery.txt": "gallery",
}
CAMERA = "(?P<camera>0[1-9]|1[0-5])"
TIME = "[0-9]{4}(?:morning|noon|afternoon)"
NAMING = Naming(
    re.compile(
        rf"[0-9]{{4}}_[0-9]{{3,}}_{CAMERA}_{TIME}_[0-9]+_[0-9]+(?:_[0-9A-Za-z_]+)?(?i:\.jpe?g)"
    ),
    "0000_000_01_0303morning_0015_0.jpg",
)
REPACK_NAMING = Naming(
    re.compile(
        r"(?P<pid>[0-9]{4})_(?:c|[0-9]{3,}_)(?P<camera>0?[1-9]|1[0-5])_"
        rf"(?:{TIME}_[0-9]+_)?[0-9]+(?:_ex)?(?i:\.jpe?g)"
    ),
    "0000_c14_0030.jpg",
)
LINE = re.compile(r"(?P<path>[^ \t]+)[ \t]+(?P<pid>[0-9]{1,4})")
EXPECTED = Expected(
    "MSMT17",
    "four list_*.txt with train and test (MSMT17_V1) or mask_train_v2 and mask_test_v2 "
    f"(MSMT17_V2), or {CONTENTS}",
    "Ask the authors for MSMT17_V1 or MSMT17_V2, with their release agreement signed: at "
    "http://www.pkuvmc.com/dataset.html or, if that is down, by e-mail (the address is in arXiv "
    "1711.08565)",
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the root, `directory` or below it, and its layout: "V1", "V2" or "bounding_box".

    Raises:
        DatasetError: The data set is missing or incomplete, or V1 and V2 are in one folder.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return the images of the lists, sorted by path; list_val is part of "train", as usual.

    Train and test number their people each from 0, so the pid of a test person is 1,041 + the data
    set's own number.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, layout = find_root(directory)
    # In a re-pack the folders are the parts; in V1 and V2 the lists define them.
    is_repack = layout == "bounding_box"
    images = _read_repack(root, directory) if is_repack else _read_lists(root, directory, layout)
    records = []
    paths = set()
    for part, path, pid, camera in images:
        if part == "train" and pid >= NUM_TRAIN_IDS:
            raise DatasetError(
                f"{root}: {path} has pid {pid}; expected train pids below {NUM_TRAIN_IDS}: copy "
                "it again"
            )
        if path in paths:
            raise DatasetError(f"{root}: {path} is listed twice; copy the four lists again")
        paths.add(path)
        # Train and test count from 0 each: test people follow the train people.
        first_pid = 0 if part == "train" else NUM_TRAIN_IDS
        records.append(ImageRecord(path, first_pid + pid, camera - 1, NAME, part))
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    present = {name.lower() for name in subfolders(folder)}
    # V1 has train or test, V2 mask_train_v2 or mask_test_v2, a re-pack bounding_box_train ...
    layouts = [layout for layout, folders in IMAGE_FOLDERS.items() if present & set(folders)]
    if present & set(FOLDERS.values()) and has_parts(folder, REPACK_NAMING, EXPECTED):
        layouts.append("bounding_box")
    if not layouts:
        return None
    if len(layouts) > 1:
        raise DatasetError(
            f"{EXPECTED.name}: {folder} holds {' and '.join(layouts)}; keep only one of them"
        )
    layout = layouts[0]
    if layout != "bounding_box":
        lacking = [name for name in IMAGE_FOLDERS[layout] if name not in present]
        lacking += [name for name in LISTS if not (folder / name).is_file()]
        if lacking:
            raise DatasetError(
                f"{EXPECTED.name}: {folder} lacks {', '.join(lacking)}; copy MSMT17_{layout} again"
            )
    return layout


def _read_repack(root: Path, directory: Path) -> Iterator[tuple[str, str, int, int]]:
    """Yield part, path, pid and camera of every image of a re-pack."""
    for part, path, match in read_parts(root, directory, REPACK_NAMING):
        yield part, path, int(match["pid"]), int(match["camera"])


def _read_lists(root: Path, directory: Path, layout: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield part, path, pid and camera of every listed image; unlisted images are ignored."""
    by_lower = {name.lower(): name for name in subfolders(root)}  # some copies: mask_train_V2
    train, test = (root / by_lower[name] for name in IMAGE_FOLDERS[layout])
    cameras = {folder: _cameras(folder) for folder in (train, test)}
    for name, part in LISTS.items():
        folder = train if part == "train" else test
        lines = _lines(root / name)
        missing = [match["path"] for match in lines if match["path"] not in cameras[folder]]
        if missing:
            raise DatasetError(
                f"{folder} lacks {len(missing)} of {len(lines)} images of {name}: "
                f"{first_names(missing)}; copy it again"
            )
        stem = relative_path(folder, directory)
        for match in lines:
            path = match["path"]
            yield part, f"{stem}/{path}", int(match["pid"]), cameras[folder][path]


def _cameras(folder: Path) -> dict[str, int]:
    """Return the camera of every image in a folder of one folder per person.

    The keys are like "0000/0000_000_01_0303morning_0015_0.jpg".
    """
    cameras = {}
    for person in subfolders(folder):
        names = image_files(folder / person)
        for match in parse_names(names, NAMING.pattern, folder / person, NAMING.example):
            cameras[f"{person}/{match.string}"] = int(match["camera"])
    return cameras


def _lines(file: Path) -> list[re.Match[str]]:
    """Return the lines of a list, as matches of a path and a pid."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}; copy it again") from None
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        raise DatasetError(f"{file} is empty; copy it again")
    matches = [match for line in lines if (match := LINE.fullmatch(line))]
    if len(matches) < len(lines):
        wrong = [line for line in lines if not LINE.fullmatch(line)]
        raise DatasetError(
            f"{file}: {len(wrong)} of {len(lines)} lines are not a path and a pid: "
            f"{first_names(wrong)}; expected lines like '0000/{NAMING.example} 0': copy it again"
        )
    return matches
