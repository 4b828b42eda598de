"""PersonX: 1,266 modelled people from 36 sides before six backgrounds, three of one colour and three of a scene.

Names: `1/bounding_box_train/0004_c1s1_01.jpg` is person 4, camera 1 of background 1, sequence 1, image 1.
The authors' smaller "more challenging subset" has the three parts once, with cameras 3, 4, 8, 10, 11 and 12.
Source: Sun and Zheng, Dissecting Person Re-identification from the Viewpoint of Viewpoint, CVPR 2019.
Licence: MIT (the authors' repository). Nobody real is shown.
Obtain: no form; PersonX_v1 on Google Drive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, Wanted, find_layout, image_files
from metabin.data.readers.market_layout import CONTENTS, FOLDERS, has_parts, read_parts, refuse_shared
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "personx"
BACKGROUNDS = ("1", "2", "3", "4", "5", "6")


def _counts(num_backgrounds: int) -> Mapping[str, tuple[int, int]]:
    """Return the counts of some backgrounds, which all have the same people, 36 images of each.

    410 people train and 856 are tested; the gallery has the queries, too. Source: the number of images per
    folder in https://github.com/yxgeee/SpCL/issues/8, which are 36 x 410, 856 and 36 x 856.
    """
    return {
        "train": (410, 14_760 * num_backgrounds),
        "query": (856, 856 * num_backgrounds),
        "gallery": (856, 30_816 * num_backgrounds),
        "all": (1_266, 46_432 * num_backgrounds),
    }


COUNTS: Mapping[str, Mapping[str, tuple[int, int]]] = {  # by find_root's layout
    **{f"{form}-{number}": _counts(number) for form in ("backgrounds", "flat") for number in range(1, 7)},
    # Source: spcl/datasets/personx.py of https://github.com/yxgeee/SpCL.
    "subset": {"train": (410, 9_840), "query": (856, 5_136), "gallery": (856, 30_816), "all": (1_266, 45_792)},
}
START = 0  # a copy of person 1 that sets the drawing off
ARCHIVE = Archive(
    "PersonX_v1.zip",
    "https://drive.google.com/file/d/17QlzY6ai84SkrCmCOzemPMx9FjWyBPW8/view",
    "MIT",
    max_bytes=64 << 30,
)
WANTED = Wanted(
    "PersonX",
    f"folders 1 to 6, each with {CONTENTS}, or these three themselves",
    f"Get it with `python -m stages.download --domain {NAME}`, or from {ARCHIVE.url}",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{4})_c(?P<camera>[0-9]{1,2})s[0-9]_[0-9]{2}(?i:\.jpg)"), "0001_c1s1_01.jpg")


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the data set's folder, which is `directory` or in it, and its layout.

    The layout is "backgrounds-6" for a folder with the backgrounds 1 to 6, or fewer of them ("backgrounds-2");
    "flat-1" for the three parts of one background, "flat-6" where they hold six; "subset" for the subset's.

    Raises:
        DatasetError: it is not there, one of the parts is missing, or there are two copies.
    """
    return find_layout(directory, WANTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """All images but those of person 0, sorted by path; the pid is the data set's own number.

    The camid numbers the pairs (background, camera) that are there, in order.

    Raises:
        DatasetError: the data set is not there or not whole, or it has images that are not its own.
    """
    root, layout = find_root(directory)
    backgrounds = _backgrounds(root) if layout.startswith("backgrounds") else ["."]
    found = [(name, *image) for name in backgrounds for image in read_parts(root / name, directory, NAMING)]
    cameras = sorted({(background, int(match["camera"])) for background, _, _, match in found})
    camids = {camera: camid for camid, camera in enumerate(cameras)}
    records = [
        ImageRecord(path, int(match["pid"]), camids[background, int(match["camera"])], NAME, part)
        for background, part, path, match in found
        if int(match["pid"]) != START
    ]
    train = {record.pid for record in records if record.part == "train"}
    refuse_shared(train, {record.pid for record in records if record.part != "train"}, root, WANTED)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    if not (backgrounds := _backgrounds(folder)):
        return _flat_layout(folder) if has_parts(folder, NAMING, WANTED) else None
    lacking = [name for name in backgrounds if not has_parts(folder / name, NAMING, WANTED)]
    if lacking and len(lacking) < len(backgrounds):
        raise DatasetError(f"PersonX: {', '.join(lacking)} of {folder} lack {CONTENTS}; unpack them again")
    return None if lacking else f"backgrounds-{len(backgrounds)}"


def _flat_layout(folder: Path) -> str:
    names = image_files(folder / FOLDERS["query"])
    cameras = {int(match["camera"]) for name in names if (match := NAMING.pattern.fullmatch(name))}
    return "subset" if cameras - {int(name) for name in BACKGROUNDS} else f"flat-{max(1, len(cameras))}"


def _backgrounds(folder: Path) -> list[str]:
    return [name for name in BACKGROUNDS if (folder / name).is_dir()]
