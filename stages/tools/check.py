"""Check local data sets: read every image, compare the counts with the published ones, and report what is wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.data.acquisition.check import Examination
    from metabin.data.acquisition.local_datasets import Copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", help="market1501, my_site ...: folders or .csv files in data.folder")
    names = parser.parse_args().names

    from metabin.config import load_config
    from metabin.data.acquisition import local_datasets
    from metabin.errors import DatasetError

    config, good = load_config(), True
    for name in names:
        try:
            copy = find(config, name)
            examination = examine(config, name, copy)
        except DatasetError as error:
            print(f"{name}: {error}")
            good = False
            continue
        print(local_datasets.report(copy, examination))
        good = good and examination.fit
    sys.exit(0 if good else 1)


def find(config: Config, name: str) -> Copy:
    """Read the names of a local data set.

    Raises:
        DatasetError: it is absent, damaged or drawn by this project.
    """
    from metabin.data.acquisition import local_datasets
    from metabin.errors import DatasetError
    from metabin.files import resolve_local
    from metabin.synthetic import is_site

    if is_site(name):
        raise DatasetError(f"{name} is a site of the embedded benchmark, which is drawn; there is nothing to check")
    folder = resolve_local(Path(config.data.folder))
    return local_datasets.find_copy(name, folder, acknowledged=config.data.acknowledge_withdrawn)


def examine(config: Config, name: str, copy: Copy) -> Examination:
    """Read every image of a local data set."""
    from metabin.data.acquisition import check

    with cli.progress(f"read {name}", len(copy.records), "image") as advance:
        target = is_target(config, name)
        return check.examine(name, copy.images, copy.records, copy.wanted, advance, is_target=target)


def is_target(config: Config, name: str) -> bool | None:
    """Whether a data set is held out with its own query and gallery; None if the protocol does not use it."""
    held_out = config.protocol.holds_out(name)
    return held_out and name not in config.data.splits


if __name__ == "__main__":
    cli.run(main)
