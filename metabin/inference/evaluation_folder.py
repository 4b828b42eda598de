"""Data sets that are in no partition, with the tests that they have when they are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metabin.data import catalogue, scorable
from metabin.data.acquisition import local_datasets
from metabin.data.acquisition.check import fingerprint
from metabin.data.partition.roles import split_target
from metabin.data.partition.trials import trials_of
from metabin.errors import ConfigError, DatasetError
from metabin.inference.evaluation_data import EvaluationData
from metabin.synthetic import is_site
from metabin.types import ImageRecord


def from_folder(name: str, folder: Path, *, acknowledged: bool = False) -> EvaluationData:
    """Return a data set that is in no partition, as it is tested when it is held out.

    Args:
        name: A published data set, a custom one (`<folder>/<name>.csv` or a folder), the path of
            such a CSV file relative to `folder`, or a rendered site of the synthetic benchmark.
        folder: Folder of the data sets, as data.folder in params.yaml.
        acknowledged: Whether the user knows that some data sets were withdrawn.

    Raises:
        ConfigError: The data set is unknown.
        DatasetError: The data set is absent or incomplete, or no query can be scored.
    """
    if name.lower().endswith(".csv"):
        path = folder / name
        if not path.is_file():
            raise DatasetError(f"{path} does not exist; expected is the CSV file of a data set")
        folder = path.parent
        name = path.stem
    records, images = _read_local(name, folder, acknowledged)
    trials = trials_of(name, records, images)
    # Shipped and official random splits have a match for every query.
    problem, remark = scorable.check_data_set(records, is_target=not trials)
    if problem:
        raise DatasetError(f"{name} in {images}: {problem}")
    split = split_target(name, records, trials)
    row_of = {record.path: row for row, record in enumerate(records)}
    splits = [
        (_rows(query, row_of), _rows(gallery, row_of))
        for query, gallery in split.trials or ((split.query, split.gallery),)
    ]
    return EvaluationData(
        name,
        fingerprint(images, records),
        records,
        images,
        splits,
        bool(trials),
        remark=remark,
    )


def _read_local(
    name: str, folder: Path, acknowledged: bool
) -> tuple[tuple[ImageRecord, ...], Path]:
    """Return the records of a data set, and the folder that their paths are relative to."""
    # A rendered site is a folder too, but not one with the layout of a custom data set.
    is_known = name in local_datasets.READERS or local_datasets.is_custom(name, folder)
    if is_site(name) and (folder / name).is_dir():
        return catalogue.read_rendered(name, folder / name), folder / name
    if not is_known:
        raise ConfigError(
            f"unknown data set {name}; expected is one of {', '.join(local_datasets.READERS)}, or "
            f"a custom data set as {folder / name}.csv or a folder {folder / name}"
        )
    dataset = local_datasets.find_local_dataset(name, folder, acknowledged=acknowledged)
    return dataset.records, dataset.images


def _rows(images: Sequence[ImageRecord], row_of: Mapping[str, int]) -> np.ndarray:
    return np.array([row_of[image.path] for image in images], np.int64)
