"""The doctor: is your copy of a data set whole? Prints what was found; the exit code is 1 where something is wrong."""

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

    config, fit = load_config(), True
    for name in names:
        try:
            copy, found = examine(config, name)
        except DatasetError as error:
            print(f"{name}: {error}")
            fit = False
            continue
        print(report(copy, found))
        fit = fit and found.fit
    sys.exit(0 if fit else 1)


def examine(config: Config, name: str) -> tuple[Copy, Examination]:
    """Read a copy, and every one of its images."""
    from metabin.data import catalogue, copies, doctor
    from metabin.errors import DatasetError

    folder, acknowledged = Path(config.data.folder), config.data.acknowledge_withdrawn
    if catalogue.is_drawn(name, folder):
        raise DatasetError(f"{name} is a site of the embedded benchmark, which is drawn; there is nothing to examine")
    copy = copies.find_copy(name, folder, acknowledged=acknowledged)
    with cli.progress(f"read {name}", len(copy.records), "image") as advance:
        is_target = config.protocol.holds_out(name) and name not in config.data.splits
        return copy, doctor.examine(name, copy.images, copy.records, copy.wanted, advance, is_target=is_target)


def report(copy: Copy, found: Examination) -> str:
    """What was found, for a terminal."""
    lines = [f"{found.name} in {copy.images}: {'good' if found.fit else 'FAILS'}", f"  layout   {copy.layout}"]
    for part, counts in found.counts.items():
        more = f", {counts.distractors:,} of them distractors" if counts.distractors else ""
        lines.append(f"  {part:<8} {counts.ids:,} identities, {counts.images:,} images, {counts.cameras} cameras{more}")
    lines += [f"  problem: {problem}" for problem in (*found.problems, found.untestable) if problem]
    lines += [f"  remark: {remark}" for remark in found.remarks]
    return "\n".join([*lines, f"  fingerprint {found.fingerprint}"])


if __name__ == "__main__":
    cli.run(main)
