"""The ten test splits of VIPeR, PRID2011, GRID and i-LIDS, the same on every machine.

Papers draw their own ten random splits of VIPeR, PRID2011 and i-LIDS, without a seed or with
MATLAB's, so that no two tables test the same people. The splits here were drawn once, from nothing
but a seed, and are shipped in metabin/data/partition/splits. GRID has official splits, in its
features_and_partitions.mat. The splits of the reference are read by
`metabin.data.partition.reference_splits`.

A split selects people and images by position, since pids and file names of the data sets may not be
passed on (nor are all of them known):
    people  those with at least two images that are not distractors, sorted by pid: 632 in VIPeR,
            200 in PRID2011, 250 in GRID and 119 in i-LIDS
    images  those of a person, sorted by camera, then path: camera a before camera b; in i-LIDS by
            the number of the image
The query is one image of each person in one half of the people. The gallery is another image of
each, and all distractors. In VIPeR and PRID2011 the query is of camera a, the gallery of camera b.
In i-LIDS both are random: a person has 2 to 8 images, so a split holds a random order of 8, and
positions without an image are skipped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from metabin.data.readers import grid
from metabin.data.readers.file_listing import first_names
from metabin.errors import DatasetError
from metabin.seeding import derive_seed
from metabin.types import ImageRecord, Trial

FOLDER = Path(__file__).parent / "splits"
SEED = 0
NUM_SPLITS = 10
CAMERA_A_THEN_B = (0, 1)  # positions of the query and of the gallery image


@dataclass(frozen=True, slots=True)
class Draw:
    """Sizes of the random splits of a data set.

    Attributes:
        num_ids: People who can be tested.
        num_test: People who are tested in a split.
        num_images: Length of the random order of a person's images; 0 for camera a, then b.
    """

    num_ids: int
    num_test: int
    num_images: int = 0


DRAWS = {"viper": Draw(632, 316), "prid2011": Draw(200, 100), "ilids": Draw(119, 60, 8)}


@dataclass(frozen=True, slots=True)
class Split:
    """One test split of a data set.

    Attributes:
        name: Name of the data set.
        index: Number of the split, from 0.
        num_ids: People that the data set must have, since `ids` are positions.
        ids: The tested people, as ascending positions among the people.
        order: For each of them, positions among the person's images. Of those that exist, the first
            is the query and the second is in the gallery.
    """

    name: str
    index: int
    num_ids: int
    ids: tuple[int, ...]
    order: tuple[tuple[int, ...], ...]


def generate(name: str) -> tuple[Split, ...]:
    """Draw the ten splits of "viper", "prid2011" or "ilids", as they are shipped.

    In split s the people are sorted by derive_seed(SEED, "split", name, s, person), and the first
    of them are tested; images likewise by derive_seed(SEED, "split", name, s, person, image). So
    the result does not depend on the version of a random generator.
    """
    draw = DRAWS[name]
    splits = []
    for index in range(NUM_SPLITS):
        ids = sorted(_shuffle(draw.num_ids, name, index)[: draw.num_test])
        if draw.num_images:
            order = [tuple(_shuffle(draw.num_images, name, index, person)) for person in ids]
        else:
            order = [CAMERA_A_THEN_B] * len(ids)
        splits.append(Split(name, index, draw.num_ids, tuple(ids), tuple(order)))
    return tuple(splits)


def to_text(splits: Sequence[Split]) -> str:
    """Return splits as the content of a file, one line per split.

    The file has the sha256 of its content without that line.
    """
    rows = []
    for split in splits:
        row: dict[str, object] = {"ids": split.ids}
        if set(split.order) != {CAMERA_A_THEN_B}:
            row["order"] = split.order
        rows.append(row)
    # The digest is of the values as JSON gives them back, so that `load` can compute it.
    head: dict[str, object] = {
        "name": splits[0].name,
        "seed": SEED,
        "num_ids": splits[0].num_ids,
    }
    head["sha256"] = _digest(json.loads(json.dumps({**head, "splits": rows})))
    lines = [f' "{key}": {json.dumps(value)},' for key, value in head.items()]
    split_lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return "\n".join(["{", *lines, ' "splits": [', split_lines, " ]", "}", ""])


def load(name: str) -> tuple[Split, ...]:
    """Return the shipped ten splits of "viper", "prid2011" or "ilids".

    Raises:
        DatasetError: There are no such splits, or the file is not as it was shipped.
    """
    if name not in DRAWS:
        raise DatasetError(
            f"no splits of {name!a} are shipped; there are those of {', '.join(DRAWS)}"
        )
    path = FOLDER / f"{name}.json"
    try:
        values = json.loads(path.read_text(encoding="ascii"))
        if values.pop("sha256") != _digest(values):
            raise DatasetError(
                f"{path} was changed: its sha256 does not fit; install metabin again"
            )
        return tuple(
            Split(name, index, values["num_ids"], tuple(row["ids"]), _order(row))
            for index, row in enumerate(values["splits"])
        )
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read: {error!r}; install metabin again") from None


def grid_splits(directory: Path, records: Sequence[ImageRecord]) -> tuple[Split, ...]:
    """Return the ten official splits of GRID.

    Query and gallery are the images in the folders "probe" and "gallery" of the people who do not
    train.

    Raises:
        DatasetError: features_and_partitions.mat is missing or damaged, or names unknown people.
    """
    pids = people(records).keys()
    splits = []
    for index, train in enumerate(grid.read_partition(directory)):
        if unknown := sorted(set(train) - pids):
            names = first_names([str(pid) for pid in unknown])
            raise DatasetError(f"GRID: {directory} lacks people of its own splits: {names}")
        query = []
        gallery = []
        for record in records:
            if record.pid in train or record.distractor:
                continue
            # FOLDERS are probe and gallery, whatever folder they are in.
            is_probe = PurePosixPath(record.path).parent.name == grid.FOLDERS[0]
            if is_probe:
                query.append(record)
            else:
                gallery.append(record)
        splits.append(split_of(index, query, gallery, records))
    return tuple(splits)


def trials(name: str, records: Sequence[ImageRecord], directory: Path) -> tuple[Trial, ...]:
    """Return query and gallery of each of a data set's ten splits; empty if its test is fixed.

    Args:
        name: Name of the data set.
        records: All of its images.
        directory: Folder that the records' paths are relative to.
    """
    if name == grid.NAME:
        splits = grid_splits(directory, records)
    else:
        splits = load(name) if name in DRAWS else ()
    return tuple(apply(records, split) for split in splits)


def split_of(
    index: int,
    query: Sequence[ImageRecord],
    gallery: Sequence[ImageRecord],
    records: Sequence[ImageRecord],
) -> Split:
    """Return the split with the given query and gallery.

    Args:
        index: Number of the split, from 0.
        query: One image of each tested person.
        gallery: Another image of each, without the distractors.
        records: All images of the data set.

    Raises:
        DatasetError: The images are no such split.
    """
    images_of = people(records)
    query_of = {record.pid: record for record in query}
    match_of = {record.pid: record for record in gallery}
    has_same_people = query_of.keys() == match_of.keys() and query_of.keys() <= images_of.keys()
    if not has_same_people or not len(query) == len(gallery) == len(query_of):
        raise DatasetError(
            f"{records[0].domain}: split {index + 1} has {len(query)} queries of {len(query_of)} "
            f"people, and gallery images of {len(match_of)}; expected one image of each person in "
            "both, from people with two images"
        )
    ids = []
    order = []
    for position, (pid, images) in enumerate(images_of.items()):
        if pid in query_of:
            ids.append(position)
            order.append((images.index(query_of[pid]), images.index(match_of[pid])))
    return Split(records[0].domain, index, len(images_of), tuple(ids), tuple(order))


def apply(records: Sequence[ImageRecord], split: Split) -> Trial:
    """Return query and gallery of a data set in a split, each sorted by path.

    The gallery has all distractors.

    Raises:
        DatasetError: The data set has another number of people than the split.
    """
    images_of = list(people(records).values())
    if len(images_of) != split.num_ids:
        raise DatasetError(
            f"{split.name}: found {len(images_of)} people with two images, expected "
            f"{split.num_ids}: the splits count people by position, so the data set has to be "
            "complete; copy it again"
        )
    query = []
    gallery = [record for record in records if record.distractor]
    for person, order in zip(split.ids, split.order, strict=True):
        images = images_of[person]
        # In i-LIDS the order has 8 positions, of which a person may have as few as 2.
        first, second = [images[position] for position in order if position < len(images)][:2]
        query.append(first)
        gallery.append(second)
    return _sort_by_path(query), _sort_by_path(gallery)


def people(records: Sequence[ImageRecord]) -> dict[int, list[ImageRecord]]:
    """Return the images of the people whom a split can test, by pid.

    These have at least two images that are not distractors. People and images are in the order
    that the positions of a split refer to.
    """
    images_of: dict[int, list[ImageRecord]] = {}
    for record in sorted(records, key=lambda record: (record.pid, record.camid, record.path)):
        if not record.distractor:
            images_of.setdefault(record.pid, []).append(record)
    return {pid: images for pid, images in images_of.items() if len(images) > 1}


def _shuffle(number: int, *labels: str | int) -> list[int]:
    """Return the numbers from 0 to `number` - 1 in random order."""
    return sorted(range(number), key=lambda item: derive_seed(SEED, "split", *labels, item))


def _order(row: Mapping[str, list]) -> tuple[tuple[int, ...], ...]:
    if "order" not in row:
        return (CAMERA_A_THEN_B,) * len(row["ids"])
    return tuple(tuple(positions) for positions in row["order"])


def _digest(values: Mapping[str, object]) -> str:
    content = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def _sort_by_path(records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.path))
