"""DukeMTMC-reID: WITHDRAWN in June 2019. 8 cameras filmed the people of a campus outdoors, without their consent.

This project never fetches it, and reads a copy that you already have only when you say that you know.
Names: `0005_c2_f0046985.jpg` is person 5, camera 2.
Source: Ristani et al., ECCV Workshops 2016; Zheng et al., ICCV 2017 (the re-identification crops). Withdrawn after the
university found that the recording broke its review board's terms; see Peng et al., Mitigating Dataset Harms, 2021.
Licence: was CC BY-NC-SA 4.0; not offered any more.
Obtain: do not. Every protocol in use since 2022 does without it; P-1D, the paper's own, needs it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metabin.data.readers.file_listing import Naming, Wanted, find_layout
from metabin.data.readers.market_layout import CONTENTS, has_parts, read_parts, refuse_shared
from metabin.errors import DatasetError
from metabin.types import ImageRecord

NAME = "dukemtmcreid"
COUNTS: Mapping[str, tuple[int, int]] = {
    "train": (702, 16_522),
    "query": (702, 2_228),
    "gallery": (1_110, 17_661),  # 702 and the 408 that nobody is searched for by
    "all": (1_812, 36_411),
}
WANTED = Wanted(
    "DukeMTMC-reID",
    f"{CONTENTS} (of DukeMTMC-reID)",
    "It was withdrawn: use a copy that you already have, or leave it out of protocol.domains",
)
NAMING = Naming(re.compile(r"(?P<pid>[0-9]{4})_c(?P<camera>[1-8])_f[0-9]{7}(?i:\.jpg)"), "0005_c2_f0046985.jpg")
REFUSAL = (
    "DukeMTMC-reID was withdrawn in June 2019, because its people were filmed without their consent. "
    "Use only a copy that you already have and set data.acknowledge_withdrawn: true, or leave it out."
)


def find_root(directory: Path) -> tuple[Path, str]:
    """The folder DukeMTMC-reID, which is `directory` or in it, and the layout's name: "official".

    Raises:
        DatasetError: it is not there, not whole, or there twice.
    """
    return find_layout(directory, WANTED, lambda folder: "official" if has_parts(folder, NAMING, WANTED) else None)


def read(directory: Path, *, acknowledged: bool = False) -> tuple[ImageRecord, ...]:
    """All images, sorted by path; pids are the data set's own, with gaps.

    408 identities are in the gallery alone, each seen by one camera. The official test calls them distractors, but they
    are ordinary people with pids of their own, on whom the paper's protocol trains; so no record is a `distractor`.

    Args:
        acknowledged: You know that the data set was withdrawn, and why (data.acknowledge_withdrawn).

    Raises:
        DatasetError: not acknowledged; the data set is not there or not whole; images that are not its own.
    """
    if not acknowledged:
        raise DatasetError(REFUSAL)
    root, _ = find_root(directory)
    records = [
        ImageRecord(path, int(match["pid"]), int(match["camera"]) - 1, NAME, part)
        for part, path, match in read_parts(root, directory, NAMING)
    ]
    train = {record.pid for record in records if record.part == "train"}
    refuse_shared(train, {record.pid for record in records if record.part != "train"}, root, WANTED)
    return tuple(sorted(records, key=lambda record: record.path))
