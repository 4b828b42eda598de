"""Remove what other configurations left behind: outputs, entries of dvc.lock, resume states.

DVC itself keeps the entries of stages that no longer exist. Outputs are removed as far as DVC's
cache holds them. States of unfinished trainings are removed if no training of params.yaml resumes
them, those of experiments included: see `stages.unfinished`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from stages import cli, layout, leftovers, unfinished

LOCK = Path("dvc.lock")
# Entries are the keys at the second level.
STAGE_LINE = re.compile(r"  '?(?P<name>[^\s'][^\n']*)'?:\n")


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    from metabin.config import load_config

    remove_leftovers()
    unfinished.remove_states(load_config())


def remove_leftovers() -> None:
    """Remove the outputs and entries of dvc.lock that the present configuration does not have."""
    from metabin.config import load_config

    config = load_config()
    leftovers.remove(layout.RAW, leftovers.raw_outputs(config))
    leftovers.remove_gathered(config)
    tidy_lock()


def tidy_lock() -> None:
    """Bring dvc.lock to the order of dvc.yaml, without the entries of stages that do not exist."""
    sort_lock(LOCK, cli.dvc("stage", "list", "--name-only", capture=True).splitlines())


def sort_lock(lock: Path, stages: Sequence[str]) -> None:
    """Keep the entries of existing stages in dvc.lock, in the order of the stages.

    `dvc repro` leaves them in this order in a new clone. It appends the entry of a stage that has
    none, so stages that run side by side leave them in another one. Entries keep their bytes.

    Args:
        lock: the file dvc.lock; nothing happens if it does not exist.
        stages: the names of the existing stages, in the order of dvc.yaml.
    """
    from metabin.files import write_text

    if not lock.is_file():
        return
    text = lock.read_text()
    name = ""  # the lines before the first entry
    entries: dict[str, str] = {name: ""}
    for line in text.splitlines(keepends=True):
        # The lines below an entry, up to the next one, belong to it.
        if entry := STAGE_LINE.fullmatch(line):
            name = entry["name"]
            entries[name] = ""
        entries[name] += line
    kept = "".join(entries[name] for name in ("", *stages) if name in entries)
    if kept != text:
        write_text(lock, kept)
    if num_removed := len(entries.keys() - {"", *stages}):
        print(f"removed {num_removed} entries of {lock}: this configuration has no such stages")


if __name__ == "__main__":
    cli.run(main)
