"""Market-1501: 1,501 people seen by 6 cameras in front of a supermarket, with detected boxes.

Names: `0002_c1s1_000451_03.jpg` is person 2, camera 1. Person -1 is junk (a bad box of somebody),
0000 is a distractor. 24 files of the release end in `.jpg.jpg`: 6 of person 1488 in query; 13 of
1488, 3 of 0000 and 2 of -1 in bounding_box_test.
Source: Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.
Licence: its readme says research only, no commercial use, do not distribute: push it to no public
DVC remote.
Obtain: no form; Market-1501-v15.09.15.zip (153 MB) from
http://zheng-lab.cecs.anu.edu.au/Project/project_reid.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.archive import Archive
from metabin.data.readers.file_listing import Naming, wrong_names
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.data.readers.market_layout import CONTENTS, has_parts, read_parts, require_disjoint
from metabin.types import ImageRecord

NAME = "market1501"
COUNTS: Mapping[str, tuple[int, int]] = {  # distractors and junk have no identities
    "train": (751, 12_936),
    "query": (750, 3_368),
    "gallery": (750, 15_913),  # with the distractors
    "distractor": (0, 2_798),
    "all": (1_501, 29_419),  # without the distractors: the training images of P-1
    "junk": (0, 3_819),  # files that read() drops
}
ARCHIVE = Archive(
    "Market-1501-v15.09.15.zip",
    "https://drive.google.com/file/d/0B8-rUzbwVRk0c054eEozWG9COHM/view?resourcekey=0-8nyl7K9_x37HlQm34MmrYQ",
    "research only, no commercial use, do not distribute",
    "md5:65005ab7d12ec1c44de4eeafe813e68a",
)
EXPECTED = Expected(
    "Market-1501",
    f"{CONTENTS} (of Market-1501-v15.09.15)",
    f"Get it with `python -m stages.download --domain {NAME}`, or from "
    "http://zheng-lab.cecs.anu.edu.au/Project/project_reid.html",
)
NAMING = Naming(
    re.compile(
        r"(?P<pid>-1|[0-9]{4})_c(?P<camera>[1-6])s[0-9]_[0-9]{6}_[0-9]{2}(?i:(?:\.jpg){1,2})"
    ),
    "0002_c1s1_000451_03.jpg",
)
JUNK = -1
DISTRACTOR = 0


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder Market-1501-v15.09.15, `directory` or below it, and the layout "official".

    Raises:
        DatasetError: The data set is missing, incomplete, or present twice.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path) -> tuple[ImageRecord, ...]:
    """Return all images except junk, sorted by path.

    Pids are the data set's own: 1 to 1501, and 0 for the distractors.

    Raises:
        DatasetError: The data set is missing or incomplete, or has foreign images.
    """
    root, _ = find_root(directory)
    records = []
    wrong = []
    for part, path, match in read_parts(root, directory, NAMING):
        pid = int(match["pid"])
        camid = int(match["camera"]) - 1
        if pid == DISTRACTOR and part != "gallery":
            wrong.append(path)
        if pid != JUNK:
            records.append(ImageRecord(path, pid, camid, NAME, part, pid == DISTRACTOR))
    if wrong:
        raise wrong_names(wrong, len(records), root, "distractors (0000) in bounding_box_test only")
    require_disjoint(records, root, EXPECTED)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    return "official" if has_parts(folder, NAMING, EXPECTED) else None
