"""Local data sets of a run: find one and check it, for the stage and for the command `check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages import cli

if TYPE_CHECKING:
    from metabin.config import Config
    from metabin.data.acquisition.check import DataCheck
    from metabin.data.acquisition.local_datasets import LocalDataset


def find_local_dataset(config: Config, name: str) -> LocalDataset:
    """Read the records of a local data set; no image is opened.

    Raises:
        DatasetError: The data set is absent or damaged, or it is a rendered site.
    """
    from metabin.data.acquisition import local_datasets
    from metabin.errors import DatasetError
    from metabin.files import resolve_local
    from metabin.synthetic import is_site

    if is_site(name):
        raise DatasetError(
            f"{name} is a site of the synthetic benchmark, which is rendered; there is nothing to "
            "check"
        )
    folder = resolve_local(Path(config.data.folder))
    acknowledged = config.data.acknowledge_withdrawn
    return local_datasets.find_local_dataset(name, folder, acknowledged=acknowledged)


def check_local_dataset(config: Config, name: str, dataset: LocalDataset) -> DataCheck:
    """Read every image of a local data set and compare its counts with the published ones."""
    from metabin.data.acquisition.check import check_images

    with cli.progress(f"read {name}", len(dataset.records), "image") as advance:
        return check_images(
            name,
            dataset.images,
            dataset.records,
            dataset.expected_counts,
            advance,
            is_target=is_target(config, name),
        )


def is_target(config: Config, name: str) -> bool | None:
    """Return whether a data set is held out with its own query and gallery.

    It is None if the protocol does not use the data set.
    """
    held_out = config.protocol.holds_out(name)
    return held_out and name not in config.data.splits
