"""Check an entry of data.local, a data set or a file of weights, unless its files are unchanged."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli, layout, local_data

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.data.acquisition.local_datasets import LocalDataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="an entry of data.local")
    name = parser.parse_args().name

    from metabin.config import load_config

    record(load_config(), name)


def record(config: Config, name: str) -> None:
    """Record the check of an entry of data.local. DVC runs this on every `dvc repro`.

    If the files are not on this machine (a clone after `dvc pull`), the recorded result stays.

    Raises:
        DatasetError: The data set is absent or damaged, no query of its test can be scored, or its
            check fails and data.accept_unfit does not name it.
    """
    from metabin.data.acquisition import local_datasets, local_files
    from metabin.data.acquisition.obtain import obtain
    from metabin.files import resolve_local

    directory = layout.local(name)
    if name in config.pretrained_files:
        local_files.record_file(name, directory)
        return
    folder = resolve_local(Path(config.data.folder))
    if local_datasets.is_recorded(directory) and not local_datasets.is_present(name, folder):
        place = f"{config.data.folder} on this machine"
        print(f"{name} is not in {place}; the result of its last check is used")
        return
    obtain(name, folder, cli.progress, lambda line: print(f"{name}: {line}", flush=True))
    dataset = local_data.find_local_dataset(config, name)
    record_dataset(config, name, dataset, folder)
    require_usable(config, name, dataset)


def record_dataset(config: Config, name: str, dataset: LocalDataset, folder: Path) -> None:
    """Check a data set of `folder` and write the result, unless its files are unchanged."""
    from metabin.data.acquisition import local_datasets, local_files
    from metabin.data.partition.trials import trials_of

    # Other random splits of a target are another output, though the images are the same.
    trials = ()
    if name in config.protocol.targets:
        splits = config.data.splits.get(name)
        trials = trials_of(name, dataset.records, dataset.images, splits)
    directory = layout.local(name)
    state = local_files.state_digest(dataset, trials)
    if local_files.is_unchanged(layout.check_state(name), state, directory):
        return
    check = local_data.check_local_dataset(config, name, dataset)
    print(local_datasets.report(dataset, check))
    images = Path(config.data.folder) / dataset.images.relative_to(folder)
    trials_digest = local_files.trials_digest(trials)
    local_datasets.save_local_dataset(
        directory, dataset, check, images=images, trials=trials_digest
    )
    local_files.remember_state(layout.check_state(name), state, directory)


def require_usable(config: Config, name: str, dataset: LocalDataset) -> None:
    """Raise DatasetError if a data set cannot be tested, or fails its check without acceptance."""
    from metabin.data import scorable
    from metabin.data.acquisition import local_datasets
    from metabin.errors import DatasetError

    # Also for an unchanged data set, as its role or data.accept_unfit may have changed.
    is_target = local_data.is_target(config, name)
    untestable, _ = scorable.check_data_set(dataset.records, is_target=is_target)
    if untestable:
        raise DatasetError(f"{name} in {dataset.images}: {untestable}")
    problems = local_datasets.recorded_problems(layout.local(name))
    if problems and name not in config.data.accept_unfit:
        raise DatasetError(
            f"{name} in {dataset.images} fails its check: {'; '.join(problems)}. Copy the data set "
            "again, or add it to data.accept_unfit to use it as it is"
        )


if __name__ == "__main__":
    cli.run(main)
