"""The random test splits of a small target: the shipped or official ones, or the user's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metabin.data.partition import fixed_splits, reference_splits
from metabin.files import resolve_local
from metabin.types import ImageRecord

Trial = tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]]  # query and gallery


def trials_of(name: str, records: Sequence[ImageRecord], images: Path, splits: str | None = None) -> tuple[Trial, ...]:
    """Return query and gallery of every split of a data set; empty where its test is fixed.

    Args:
        images: what the records' paths are relative to.
        splits: a file or folder of other splits (data.splits).

    Raises:
        DatasetError: the splits cannot be read, or are of other images.
    """
    if splits is None:
        return fixed_splits.trials(name, records, images)
    given = reference_splits.read_reference(resolve_local(Path(splits)), records)
    return tuple(fixed_splits.apply(records, split) for split in given)
