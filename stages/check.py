"""Check local data sets: read every image, compare the counts with the published ones, and report what is wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.data.copies import Copy
    from metabin.data.doctor import Examination


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", help="market1501, my_site ...: folders or .csv files in data.folder")
    names = parser.parse_args().names

    from metabin.config import load_config
    from metabin.errors import DatasetError

    config, good = load_config(), True
    for name in names:
        try:
            copy = find(config, name)
            examination = examine(name, copy)
        except DatasetError as error:
            print(f"{name}: {error}")
            good = False
            continue
        print(report(copy, examination))
        good = good and not examination.problems
    sys.exit(0 if good else 1)


def find(config: Config, name: str) -> Copy:
    """Read the names of a local data set.

    Raises:
        DatasetError: it is absent, damaged or drawn by this project.
    """
    from metabin.data import copies
    from metabin.data.synthetic import is_site
    from metabin.errors import DatasetError
    from metabin.files import resolve_local

    if is_site(name):
        raise DatasetError(f"{name} is a site of the embedded benchmark, which is drawn; there is nothing to check")
    folder = resolve_local(Path(config.data.folder))
    return copies.find_copy(name, folder, acknowledged=config.data.acknowledge_withdrawn)


def examine(name: str, copy: Copy) -> Examination:
    """Read every image of a local data set."""
    from metabin.data import doctor

    with cli.progress(f"read {name}", len(copy.records), "image") as advance:
        return doctor.examine(name, copy.images, copy.records, copy.wanted, advance)


def report(copy: Copy, found: Examination) -> str:
    """What was found, for a terminal."""
    lines = [f"{found.name} in {copy.images}: {verdict(copy, found)}", f"  layout   {copy.layout}"]
    for part, counts in found.counts.items():
        more = f", {counts.distractors:,} of them distractors" if counts.distractors else ""
        lines.append(f"  {part:<8} {counts.ids:,} identities, {counts.images:,} images, {counts.cameras} cameras{more}")
    lines += [f"  left out: {number:,} {kind}" for kind, number in found.left_out.items()]
    lines += [f"  problem: {problem}" for problem in found.problems]
    lines += [f"  remark: {remark}" for remark in found.remarks]
    return "\n".join([*lines, f"  fingerprint {found.fingerprint}"])


def verdict(copy: Copy, found: Examination) -> str:
    """Return how the check ended; "good" only where published counts were there to compare with."""
    from metabin.data.copies import READERS

    if found.problems:
        return "FAILS"
    if copy.wanted:
        return "good"
    if found.name in READERS:
        return "not checked: no published counts"
    return "readable; own images have no published counts to compare with"


if __name__ == "__main__":
    cli.run(main)
