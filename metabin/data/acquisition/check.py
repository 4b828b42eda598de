"""The check of a data set: counts, unreadable images, equal and unused files, a fingerprint."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metabin.data.readers.unused_files import left_out
from metabin.data.scorable import check_data_set
from metabin.errors import DatasetError
from metabin.images import decode_image
from metabin.types import ImageRecord

NUM_SHOWN = 3  # files named in a problem, and groups of files in a remark


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the images of one part of a data set. Distractors are counted among the images, and have no identity."""

    ids: int
    images: int
    cameras: int
    distractors: int


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found in a data set's folder.

    `problems` make it unfit: counts that differ from the published ones, images that cannot be read. `remarks` do
    not: files with equal content, single queries that cannot be scored. `fingerprint` is the one of `fingerprint()`.
    `left_out` counts the files beside the images that are not used, by kind and reason. `untestable` says why no
    query can be scored, "" if one can; such a data set cannot be accepted as it is.
    """

    name: str
    counts: Mapping[str, Counts]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    fingerprint: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    untestable: str = ""

    @property
    def fit(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.untestable


def examine(
    name: str,
    directory: Path,
    records: Sequence[ImageRecord],
    wanted: Mapping[str, tuple[int, int]],
    on_image: Callable[[int], None] | None = None,
    *,
    is_target: bool | None = None,
) -> Examination:
    """Read every image of a data set once and compare what is there with what should be.

    Args:
        directory: what the records' paths are relative to.
        wanted: part -> (identities, images); no check of a part that is not there. The images of "gallery" count
            distractors, those of "all" do not.
        on_image: told after every image, for progress.
        is_target: whether the data set is held out, or only trains; None: not known. See
            `scorable.check_data_set`.
    """
    unreadable: list[str] = []
    by_content: dict[str, list[str]] = {}
    digest = hashlib.sha256()
    for path in sorted(record.path for record in records):
        content = _content(directory / path)
        if reason := _fault(content):
            unreadable.append(f"{path} ({reason})")
        line = _line(path, content)
        by_content.setdefault(line.split()[-1], []).append(path)
        digest.update(line.encode())
        if on_image:
            on_image(1)
    counts = count(records)
    problems = [*_differences(counts, wanted), *_several(unreadable, "cannot be read")]
    untestable, remark = check_data_set(records, is_target=is_target)
    remarks = _equal_content([paths for paths in by_content.values() if len(paths) > 1])
    remarks += filter(None, [remark])
    unused = left_out(directory, {record.path for record in records})
    return Examination(name, counts, tuple(problems), tuple(remarks), digest.hexdigest(), unused, untestable)


def fingerprint(directory: Path, records: Sequence[ImageRecord]) -> str:
    """The sha256 over a line for every image, sorted by path: its path, its size in bytes, its own sha256."""
    digest = hashlib.sha256()
    for path in sorted(record.path for record in records):
        digest.update(_line(path, _content(directory / path)).encode())
    return digest.hexdigest()


def count(records: Sequence[ImageRecord]) -> dict[str, Counts]:
    """The counts of every part that has images, and of "all" images but distractors: what can train."""
    parts: dict[str, list[ImageRecord]] = {}
    for record in records:
        parts.setdefault(record.part, []).append(record)
    found = {part: _count(parts[part]) for part in ("train", "query", "gallery") if part in parts}
    distractors = [record for record in records if record.distractor]
    found |= {"distractor": _count(distractors)} if distractors else {}
    return found | {"all": _count([record for record in records if not record.distractor])}


def _count(records: Sequence[ImageRecord]) -> Counts:
    return Counts(
        ids=len({record.pid for record in records if not record.distractor}),
        images=len(records),
        cameras=len({record.camid for record in records}),
        distractors=sum(record.distractor for record in records),
    )


def _differences(counts: Mapping[str, Counts], wanted: Mapping[str, tuple[int, int]]) -> list[str]:
    nothing, differences = Counts(0, 0, 0, 0), []
    for part, (ids, images) in wanted.items():
        found = counts.get(part, nothing)
        if part == "distractor" and found.images != images:
            differences.append(f"distractors: found {found.images:,} images, wanted {images:,}")
        elif part != "distractor" and (found.ids, found.images) != (ids, images):
            differences.append(
                f"{part}: found {found.ids:,} identities and {found.images:,} images, wanted {ids:,} and {images:,}"
            )
    return differences


def _several(names: Sequence[str], what: str) -> list[str]:
    return [f"{_first(names, ', ')} {what}"] if names else []


def _equal_content(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return a remark on groups of files with equal content: how many, and the first three of three groups."""
    if not groups:
        return []
    number = f"{len(groups):,} group{'s' if len(groups) > 1 else ''}"
    first = _first([_first(group, " = ") for group in groups], "; ", " groups")
    return [f"{sum(map(len, groups)):,} images in {number} have equal content: {first}"]


def _first(names: Sequence[str], separator: str, unit: str = "") -> str:
    more = f" and {len(names) - NUM_SHOWN:,} more{unit}" if len(names) > NUM_SHOWN else ""
    return f"{separator.join(names[:NUM_SHOWN])}{more}"


def _line(path: str, content: bytes) -> str:
    return f"{path} {len(content)} {hashlib.sha256(content).hexdigest()}\n"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _fault(content: bytes) -> str:
    """Why an image cannot be read; "" if it can. Decodes it: a truncated file has a good header."""
    if not content:
        return "no content"
    try:
        decode_image(io.BytesIO(content))
    except DatasetError as error:
        return str(error)
    return ""
