"""DukeMTMC-reID: WITHDRAWN in June 2019. 8 cameras filmed people on a campus without their consent.

This project never downloads it. It reads an existing local copy only if the user acknowledges the
withdrawal.
Names: `0005_c2_f0046985.jpg` is person 5, camera 2.
Source: Ristani et al., ECCV Workshops 2016; Zheng et al., ICCV 2017 (the re-identification crops).
Withdrawn after the university found that the recording broke its review board's terms; see Peng et
al., Mitigating Dataset Harms, 2021.
Licence: was CC BY-NC-SA 4.0; no longer offered.
Obtain: do not. Every protocol in use since 2022 does without it; P-1D, the paper's own, needs it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.file_listing import Naming
from metabin.data.readers.layout_search import Expected, find_layout
from metabin.data.readers.market_layout import CONTENTS, has_parts, read_parts, require_disjoint
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "dukemtmcreid"
COUNTS: Mapping[str, tuple[int, int]] = {
    "train": (702, 16_522),
    "query": (702, 2_228),
    "gallery": (1_110, 17_661),  # 702 and 408 without a query
    "all": (1_812, 36_411),
}
EXPECTED = Expected(
    "DukeMTMC-reID",
    f"{CONTENTS} (of DukeMTMC-reID)",
    "It was withdrawn: use an existing copy, or remove it from protocol.domains",
)
NAMING = Naming(
    re.compile(r"(?P<pid>[0-9]{4})_c(?P<camera>[1-8])_f[0-9]{7}(?i:\.jpg)"),
    "0005_c2_f0046985.jpg",
)
REFUSAL = (
    "DukeMTMC-reID was withdrawn in June 2019, because its people were filmed without their "
    "consent. To use an existing copy, set data.acknowledge_withdrawn: true; otherwise remove it "
    "from protocol.domains."
)


def find_root(directory: Path) -> tuple[Path, str]:
    """Return the folder DukeMTMC-reID, `directory` or below it, and the layout "official".

    Raises:
        DatasetError: The data set is missing, incomplete, or present twice.
    """
    return find_layout(directory, EXPECTED, _detect)


def read(directory: Path, *, acknowledged: bool = False) -> tuple[ImageRecord, ...]:
    """Return all images, sorted by path; pids are the data set's own, with gaps.

    408 identities are in the gallery only, each seen by one camera. The official test calls them
    distractors, but they are ordinary people with pids of their own, and the paper's protocol
    trains on them; so no record is a `distractor`.

    Args:
        directory: The folder, or one above it.
        acknowledged: The user knows that the data set was withdrawn, and why
            (data.acknowledge_withdrawn).

    Raises:
        DatasetError: The withdrawal is not acknowledged; the data set is missing or incomplete, or
            has foreign images.
    """
    if not acknowledged:
        raise DatasetError(REFUSAL)
    root, _ = find_root(directory)
    records = [
        ImageRecord(path, int(match["pid"]), int(match["camera"]) - 1, NAME, part)
        for part, path, match in read_parts(root, directory, NAMING)
    ]
    require_disjoint(records, root, EXPECTED)
    return tuple(sorted(records, key=lambda record: record.path))


def _detect(folder: Path) -> str | None:
    return "official" if has_parts(folder, NAMING, EXPECTED) else None
