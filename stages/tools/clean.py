"""Remove what other configurations left behind: outputs (`stages.leftovers`), and entries of dvc.lock.

DVC itself never drops an entry of dvc.lock whose stage does not exist any more.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

from stages import cli, layout, leftovers

LOCK = Path("dvc.lock")
STAGE_LINE = re.compile(r"  '?(?P<name>[^\s'][^\n']*)'?:\n")  # entries are the keys at the second level


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    clean()


def clean() -> None:
    """Remove all leftovers, on disk and in dvc.lock."""
    from metabin.config import load_config

    config = load_config()
    leftovers.remove(layout.RAW, leftovers.raw_outputs(config))
    leftovers.remove_gathered(config)
    prune_lock(LOCK, cli.dvc("stage", "list", "--name-only", capture=True).split("\n"))


def prune_lock(lock: Path, stages: Iterable[str]) -> None:
    """Drop the entries of stages that are not among `stages` from dvc.lock; everything else keeps its bytes."""
    from metabin.files import write_text

    if not lock.is_file():
        return
    known, lines, dropped, keep = set(stages), [], 0, True
    for line in lock.read_text().splitlines(keepends=True):
        if entry := STAGE_LINE.fullmatch(line):
            keep = entry["name"] in known
            dropped += not keep
        if keep:
            lines.append(line)
    if dropped:
        write_text(lock, "".join(lines))
        print(f"dropped {dropped} entries of {lock} whose stages this configuration does not have")


if __name__ == "__main__":
    cli.run(main)
