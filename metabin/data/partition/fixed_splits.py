"""The ten test splits of VIPeR, PRID2011, GRID and i-LIDS: the same on every machine.

Every paper draws its own ten random splits of VIPeR, PRID2011 and i-LIDS, without a seed or with MATLAB's, so that no
two tables are about the same people. Ours are drawn once, from nothing but a seed, and lie in metabin/data/partition/splits.
GRID has official splits, in its own features_and_partitions.mat. (The reference's: `metabin.data.partition.reference_splits`.)

A split says who is tested and with which images, by positions, as the pids and file names of the data sets are not ours
to pass on (nor known in full):
    people  those with at least two images that are not distractors, sorted by pid: 632, 200, 250 and 119 of them
    images  of a person, sorted by camera, then path: camera a before camera b; i-LIDS by the number of the image
Query is one image of each of half of the people, gallery another one, and all distractors. VIPeR and PRID2011: camera a
searches in camera b. i-LIDS: two random images; a person has 2 to 8, so the order is drawn in which all 8 would be
taken, and those that are not there are passed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from metabin.data.readers import grid
from metabin.data.readers.file_listing import shown
from metabin.errors import DatasetError
from metabin.seeding import derive_seed
from metabin.types import ImageRecord

FOLDER = Path(__file__).parent / "splits"
SEED = 0
NUM_SPLITS = 10
CAMERA_A_THEN_B = (0, 1)


@dataclass(frozen=True, slots=True)
class Draw:
    """How splits are drawn: `num_test` of `num_ids` people, `num_images` of a person in random order (0: a, then b)."""

    num_ids: int
    num_test: int
    num_images: int = 0


DRAWS = {"viper": Draw(632, 316), "prid2011": Draw(200, 100), "ilids": Draw(119, 60, 8)}


@dataclass(frozen=True, slots=True)
class Split:
    """One test split of the data set `name`, which must have `num_ids` people.

    ids: Who is tested, positions among the people, ascending.
    order: For each of them, positions among the images: the first that is there is the query, the second the gallery's.
    """

    name: str
    index: int
    num_ids: int
    ids: tuple[int, ...]
    order: tuple[tuple[int, ...], ...]


def generate(name: str) -> tuple[Split, ...]:
    """Draw the ten splits of "viper", "prid2011" or "ilids", as they are in metabin/data/partition/splits.

    In split s the people are sorted by derive_seed(SEED, "split", name, s, person) and the first of them are tested;
    images likewise by derive_seed(SEED, "split", name, s, person, image). So a draw hangs on no generator's version.
    """
    draw, splits = DRAWS[name], []
    for index in range(NUM_SPLITS):
        ids = sorted(_shuffled(draw.num_ids, name, index)[: draw.num_test])
        images = [tuple(_shuffled(draw.num_images, name, index, person)) or CAMERA_A_THEN_B for person in ids]
        splits.append(Split(name, index, draw.num_ids, tuple(ids), tuple(images)))
    return tuple(splits)


def to_text(splits: Sequence[Split]) -> str:
    """Splits as a file's content, with the sha256 of that content without it; one line for each split."""
    rows = [{"ids": split.ids} | ({} if _is_plain(split) else {"order": split.order}) for split in splits]
    head = {"name": splits[0].name, "seed": SEED, "num_ids": splits[0].num_ids}
    values = json.loads(json.dumps(head | {"splits": rows}))
    lines = [f' "{key}": {json.dumps(value)},' for key, value in (head | {"sha256": _digest(values)}).items()]
    return "\n".join(["{", *lines, ' "splits": [', ",\n".join(f"  {json.dumps(row)}" for row in rows), " ]", "}", ""])


def load(name: str) -> tuple[Split, ...]:
    """The ten splits of "viper", "prid2011" or "ilids" that are shipped.

    Raises:
        DatasetError: no such splits, or the file is not as it was shipped.
    """
    if name not in DRAWS:
        raise DatasetError(f"no splits of {name!a} are shipped; there are those of {', '.join(DRAWS)}")
    path = FOLDER / f"{name}.json"
    try:
        values = json.loads(path.read_text(encoding="ascii"))
        if values.pop("sha256") != _digest(values):
            raise DatasetError(f"{path} was changed: its sha256 does not fit; install metabin again")
        return tuple(
            Split(name, index, values["num_ids"], tuple(row["ids"]), _order(row))
            for index, row in enumerate(values["splits"])
        )
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read: {error!r}; install metabin again") from None


def grid_splits(directory: Path, records: Sequence[ImageRecord]) -> tuple[Split, ...]:
    """The ten official splits of GRID: probe searches in gallery, for the people who do not train.

    Raises:
        DatasetError: features_and_partitions.mat is missing or damaged, or names people who are not there.
    """
    pids, splits = people(records).keys(), []
    for index, train in enumerate(grid.read_partition(directory)):
        if unknown := sorted(set(train) - pids):
            raise DatasetError(f"GRID: {directory} lacks people of its own splits: {shown([str(p) for p in unknown])}")
        test = [record for record in records if record.pid not in train and not record.distractor]
        probe = [PurePosixPath(record.path).parent.name == grid.FOLDERS[0] for record in test]
        query = [record for record, is_probe in zip(test, probe, strict=True) if is_probe]
        gallery = [record for record, is_probe in zip(test, probe, strict=True) if not is_probe]
        splits.append(describe(index, query, gallery, records))
    return tuple(splits)


def trials(
    name: str, records: Sequence[ImageRecord], directory: Path
) -> tuple[tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]], ...]:
    """Query and gallery of each of a data set's ten splits; none for a data set whose test is fixed.

    Args:
        directory: what the records' paths are relative to.
    """
    if name == grid.NAME:
        return tuple(apply(records, split) for split in grid_splits(directory, records))
    return tuple(apply(records, split) for split in load(name)) if name in DRAWS else ()


def describe(
    index: int, query: Sequence[ImageRecord], gallery: Sequence[ImageRecord], records: Sequence[ImageRecord]
) -> Split:
    """The split that has these images of `records`, one of each person in `query` and in `gallery`, and distractors.

    Raises:
        DatasetError: they are no such split.
    """
    found = people(records)
    searched, matches = ({record.pid: record for record in images} for images in (query, gallery))
    if (
        searched.keys() != matches.keys()
        or not searched.keys() <= found.keys()
        or not (len(query) == len(gallery) == len(searched))
    ):
        raise DatasetError(
            f"{records[0].domain}: split {index + 1} has {len(query)} queries of {len(searched)} people, and gallery "
            f"images of {len(matches)}; wanted one image of each person in both, from people with two images"
        )
    ids = [position for position, pid in enumerate(found) if pid in searched]
    pairs = [
        (images.index(searched[pid]), images.index(matches[pid])) for pid, images in found.items() if pid in searched
    ]
    return Split(records[0].domain, index, len(found), tuple(ids), tuple(pairs))


def apply(records: Sequence[ImageRecord], split: Split) -> tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]]:
    """Query and gallery of a data set in a split, each sorted by path. All distractors are gallery.

    Raises:
        DatasetError: the data set has not as many people as the split is about.
    """
    found = list(people(records).values())
    if len(found) != split.num_ids:
        raise DatasetError(
            f"{split.name}: found {len(found)} people with two images, wanted {split.num_ids}: the splits count people "
            "by position, so the data set has to be whole; copy it again"
        )
    query, gallery = [], [record for record in records if record.distractor]
    for person, order in zip(split.ids, split.order, strict=True):
        images = found[person]
        first, second = [images[position] for position in order if position < len(images)][:2]
        query.append(first)
        gallery.append(second)
    return _by_path(query), _by_path(gallery)


def people(records: Sequence[ImageRecord]) -> dict[int, list[ImageRecord]]:
    """Whom a split can test, by pid: those with two images or more that are not distractors, in the order above."""
    images: dict[int, list[ImageRecord]] = {}
    for record in sorted(records, key=lambda record: (record.pid, record.camid, record.path)):
        if not record.distractor:
            images.setdefault(record.pid, []).append(record)
    return {pid: found for pid, found in images.items() if len(found) > 1}


def _shuffled(number: int, *labels: str | int) -> list[int]:
    return sorted(range(number), key=lambda item: derive_seed(SEED, "split", *labels, item))


def _is_plain(split: Split) -> bool:
    return set(split.order) == {CAMERA_A_THEN_B}


def _order(row: Mapping[str, list]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(images) for images in row.get("order", [CAMERA_A_THEN_B] * len(row["ids"])))


def _digest(values: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _by_path(records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.path))
