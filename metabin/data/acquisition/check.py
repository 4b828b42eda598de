"""Data set check: counts, unreadable images, equal and unused files, and a fingerprint."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metabin.data.readers.unused_files import count_unused
from metabin.data.scorable import check_data_set
from metabin.errors import DatasetError
from metabin.images import decode_image
from metabin.types import ImageRecord

NUM_NAMED = 3  # files named in a problem, and groups of files in a remark


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one part of a data set.

    Distractors count as images, but not as identities.
    """

    ids: int
    images: int
    cameras: int
    distractors: int


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Result of the check of a data set.

    Attributes:
        name: Name of the data set.
        counts: Part -> counts.
        problems: Counts that differ from the published ones, and images that cannot be read. The
            check fails if there are any.
        remarks: Files with equal content, and single queries that cannot be scored. The check
            passes all the same.
        fingerprint: See `fingerprint`.
        left_out: Kind and reason -> number of files beside the images that are not used.
        untestable: Reason why no query can be scored; "" if one can. Such a data set is refused
            even if data.accept_unfit names it.
    """

    name: str
    counts: Mapping[str, Counts]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    fingerprint: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    untestable: str = ""

    @property
    def passes(self) -> bool:
        """Return whether the data set has no problem."""
        return not self.problems and not self.untestable


def check_images(
    name: str,
    directory: Path,
    records: Sequence[ImageRecord],
    expected_counts: Mapping[str, tuple[int, int]],
    on_image: Callable[[int], None] | None = None,
    *,
    is_target: bool | None = None,
) -> DataCheck:
    """Read every image of a data set once, and compare the counts with the published ones.

    Args:
        name: Name of the data set.
        directory: Folder that the records' paths are relative to.
        records: All images of the data set.
        expected_counts: Part -> (identities, images); other parts are not compared. The images of
            "gallery" include distractors, those of "all" do not.
        on_image: Called with 1 after every image, for progress.
        is_target: True if the data set is held out, False if it only trains, None if that is not
            known. See `scorable.check_data_set`.
    """
    unreadable, equal, digest = _read_images(directory, records, on_image)
    counts = count(records)
    problems = _compare_counts(counts, expected_counts)
    if unreadable:
        problems.append(f"{_name_first(unreadable, ', ')} cannot be read")
    remarks = _equal_content(equal)
    untestable, remark = check_data_set(records, is_target=is_target)
    if remark:
        remarks.append(remark)
    return DataCheck(
        name=name,
        counts=counts,
        problems=tuple(problems),
        remarks=tuple(remarks),
        fingerprint=digest,
        left_out=count_unused(directory, {record.path for record in records}),
        untestable=untestable,
    )


def fingerprint(directory: Path, records: Sequence[ImageRecord]) -> str:
    """Return the fingerprint of a data set.

    It is the sha256 over one line per image, sorted by path: its path, size in bytes and sha256.
    """
    digest = hashlib.sha256()
    for path in sorted(record.path for record in records):
        content = _read_bytes(directory / path)
        digest.update(_fingerprint_line(path, content, hashlib.sha256(content).hexdigest()))
    return digest.hexdigest()


def count(records: Sequence[ImageRecord]) -> dict[str, Counts]:
    """Count the images of every part, the distractors, and "all" images but distractors.

    A part without images is left out. The images of "all" are those that can train.
    """
    parts: dict[str, list[ImageRecord]] = {}
    for record in records:
        parts.setdefault(record.part, []).append(record)
    counts = {part: _count(parts[part]) for part in ("train", "query", "gallery") if part in parts}
    distractors = [record for record in records if record.distractor]
    if distractors:
        counts["distractor"] = _count(distractors)
    counts["all"] = _count([record for record in records if not record.distractor])
    return counts


def _read_images(
    directory: Path,
    records: Sequence[ImageRecord],
    on_image: Callable[[int], None] | None,
) -> tuple[list[str], list[list[str]], str]:
    """Read every image of a data set once.

    Returns:
        Unreadable images with the reasons, groups of paths with equal content, the fingerprint.
    """
    unreadable: list[str] = []
    paths_by_sha256: dict[str, list[str]] = {}
    digest = hashlib.sha256()
    for path in sorted(record.path for record in records):
        content = _read_bytes(directory / path)
        if reason := _read_error(content):
            unreadable.append(f"{path} ({reason})")
        sha256 = hashlib.sha256(content).hexdigest()
        paths_by_sha256.setdefault(sha256, []).append(path)
        digest.update(_fingerprint_line(path, content, sha256))
        if on_image:
            on_image(1)
    groups = [paths for paths in paths_by_sha256.values() if len(paths) > 1]
    return unreadable, groups, digest.hexdigest()


def _count(records: Sequence[ImageRecord]) -> Counts:
    return Counts(
        ids=len({record.pid for record in records if not record.distractor}),
        images=len(records),
        cameras=len({record.camid for record in records}),
        distractors=sum(record.distractor for record in records),
    )


def _compare_counts(
    counts: Mapping[str, Counts],
    expected_counts: Mapping[str, tuple[int, int]],
) -> list[str]:
    """Return one problem for every part whose counts differ from the expected ones."""
    problems = []
    for part, (ids, images) in expected_counts.items():
        actual = counts.get(part, Counts(0, 0, 0, 0))
        if part == "distractor" and actual.images != images:
            problems.append(f"distractors: found {actual.images:,} images, expected {images:,}")
        elif part != "distractor" and (actual.ids, actual.images) != (ids, images):
            problems.append(
                f"{part}: found {actual.ids:,} identities and {actual.images:,} images, "
                f"expected {ids:,} and {images:,}"
            )
    return problems


def _equal_content(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return a remark on groups of files with equal content; none without a group.

    It counts all of them, and names the first three files of the first three groups.
    """
    if not groups:
        return []
    number = f"{len(groups):,} group{'s' if len(groups) > 1 else ''}"
    first = _name_first([_name_first(group, " = ") for group in groups], "; ", " groups")
    return [f"{sum(map(len, groups)):,} images in {number} have equal content: {first}"]


def _name_first(names: Sequence[str], separator: str, unit: str = "") -> str:
    """Return the first names as text, with the number of those that are not named."""
    num_more = len(names) - NUM_NAMED
    more = f" and {num_more:,} more{unit}" if num_more > 0 else ""
    return f"{separator.join(names[:NUM_NAMED])}{more}"


def _fingerprint_line(path: str, content: bytes, sha256: str) -> bytes:
    return f"{path} {len(content)} {sha256}\n".encode()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # a problem of this image, which must not end the check of the others


def _read_error(content: bytes) -> str:
    """Return why an image cannot be read; "" if it can.

    Decodes the image: that of a truncated file has a good header.
    """
    if not content:
        return "no content"
    try:
        decode_image(io.BytesIO(content))
    except DatasetError as error:
        return str(error)
    return ""
