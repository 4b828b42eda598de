"""Remove what other configurations left behind: outputs, and entries of dvc.lock.

DVC itself keeps the entries of stages that no longer exist. Outputs are removed as far as DVC's
cache holds them: see `stages.leftovers`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from stages import cli, layout, leftovers

LOCK = Path("dvc.lock")
STAGE_LINE = re.compile(
    r"  '?(?P<name>[^\s'][^\n']*)'?:\n"
)  # entries are the keys at the second level


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    remove_leftovers()


def remove_leftovers() -> None:
    """Remove the outputs and entries of dvc.lock that the present configuration does not have."""
    from metabin.config import load_config

    config = load_config()
    leftovers.remove(layout.RAW, leftovers.raw_outputs(config))
    leftovers.remove_gathered(config)
    prune_lock(LOCK, cli.dvc("stage", "list", "--name-only", capture=True).split("\n"))


def prune_lock(lock: Path, stages: Iterable[str]) -> None:
    """Remove the entries of stages that do not exist from dvc.lock; all others keep their bytes.

    Args:
        lock: the file dvc.lock; nothing happens if it does not exist.
        stages: the names of the existing stages.
    """
    from metabin.files import write_text

    if not lock.is_file():
        return
    existing = set(stages)
    lines: list[str] = []
    num_removed = 0
    keep = True  # the lines before the first entry
    for line in lock.read_text().splitlines(keepends=True):
        # The lines below an entry, up to the next one, belong to it.
        if entry := STAGE_LINE.fullmatch(line):
            keep = entry["name"] in existing
            num_removed += not keep
        if keep:
            lines.append(line)
    if num_removed:
        write_text(lock, "".join(lines))
        print(f"removed {num_removed} entries of {lock}: this configuration has no such stages")


if __name__ == "__main__":
    cli.run(main)
