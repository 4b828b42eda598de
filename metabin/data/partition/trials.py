"""Random test splits of a small target: shipped, official, or from the user's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metabin.data.partition import fixed_splits, reference_splits
from metabin.files import resolve_local
from metabin.types import ImageRecord, Trial


def trials_of(
    name: str,
    records: Sequence[ImageRecord],
    images: Path,
    splits: str | None = None,
) -> tuple[Trial, ...]:
    """Return query and gallery of every split of a data set; empty if its test is fixed.

    Args:
        name: Name of the data set.
        records: All of its images.
        images: Folder that the records' paths are relative to.
        splits: File or folder with other splits (data.splits).

    Raises:
        DatasetError: The splits cannot be read, or are of other images.
    """
    if splits is None:
        return fixed_splits.trials(name, records, images)
    path = resolve_local(Path(splits))
    return tuple(
        fixed_splits.apply(records, split)
        for split in reference_splits.read_reference(path, records)
    )
