"""Check one entry of data.local, a data set or a file of weights, and write the result for the pipeline.

DVC runs this for every entry on every `dvc repro`; while the files are the same, nothing is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout
from stages.tools import check

if TYPE_CHECKING:
    from metabin.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="an entry of data.local")
    name = parser.parse_args().name

    from metabin.config import load_config

    record(load_config(), name)


def record(config: Config, name: str) -> None:
    """Write the records and the check's result of one entry of data.local, unless its files are as they were.

    Where the files are not on this machine (a clone after `dvc pull`), the recorded result stays.

    Raises:
        DatasetError: the data set is absent or damaged, or its check fails and data.accept_unfit does not name it.
    """
    from metabin.data import scorable
    from metabin.data.acquisition import local_datasets, local_files
    from metabin.data.acquisition.obtain import obtain
    from metabin.data.partition.trials import trials_of
    from metabin.errors import DatasetError
    from metabin.files import resolve_local

    if name in config.pretrained_files:
        local_files.record_file(name, layout.local(name))
        return
    folder, directory = resolve_local(Path(config.data.folder)), layout.local(name)
    if local_datasets.is_recorded(directory) and not local_datasets.is_present(name, folder):
        print(f"{name} is not in {config.data.folder} on this machine; the result of its last check is used")
        return
    obtain(name, folder, cli.progress, lambda line: print(f"{name}: {line}", flush=True))
    copy = check.find(config, name)
    splits = config.data.splits.get(name)
    trials = trials_of(name, copy.records, copy.images, splits) if name in config.protocol.targets else ()
    state, seen = local_files.state(copy, trials), layout.seen(name)
    if not local_files.is_unchanged(seen, state, directory):
        images = Path(config.data.folder) / copy.images.relative_to(folder)
        examination = check.examine(config, name, copy)
        print(local_datasets.report(copy, examination))
        local_datasets.save_copy(directory, copy, examination, images=images, trials=local_files.trials_digest(trials))
        local_files.remember(seen, state, directory)
    if untestable := scorable.check_data_set(copy.records, is_target=check.is_target(config, name))[0]:
        raise DatasetError(f"{name} in {copy.images}: {untestable}")
    problems = local_datasets.recorded_problems(directory)
    if problems and name not in config.data.accept_unfit:
        raise DatasetError(
            f"{name} in {copy.images} is not what it should be: {'; '.join(problems)}. Copy it again, or add it "
            "to data.accept_unfit to use it as it is"
        )


if __name__ == "__main__":
    cli.run(main)
