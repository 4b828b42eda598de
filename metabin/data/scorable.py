"""Count the queries that can be scored, from pids and camids, before an image is decoded.

A query is scored if it has a match: a gallery image of the same person under another camera, as in
`metabin.evaluation.metrics.score`. A test without any such query is refused. If only some queries
have a match, the others are counted and left out of the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metabin.errors import DatasetError
from metabin.types import DomainSplit, Fold, ImageRecord, Trial

MATCH = "a gallery image of the same person under another camera"
# What the user can do, by reason.
NO_QUERY = "Add images of people who are not distractors."
NO_GALLERY = "Mark images of the same people under other cameras as gallery."
SAME_PIDS = "Give a person the same pid in query and gallery."
CAMIDS = (
    "Give each image its camera as camid, or leave the column camid out of the CSV file: every "
    "image then has a camera of its own."
)
WITHOUT_TEST = (
    "Or set partition.num_train_ids to all: every image of a source then trains, and no source has "
    "its own test."
)


@dataclass(frozen=True, slots=True)
class Matches:
    """Number of queries of a test that have a match, and of those that have none, by reason.

    Attributes:
        num_query: Query images.
        num_gallery: Gallery images.
        num_absent: Queries of people who are not in the gallery.
        num_same_camera: Queries of people whom the gallery shows only under the query's camera.
        camids: Cameras of all images of the test.
    """

    num_query: int
    num_gallery: int
    num_absent: int
    num_same_camera: int
    camids: frozenset[int]

    @property
    def num_unmatched(self) -> int:
        """Return the number of queries that cannot be scored."""
        return self.num_absent + self.num_same_camera

    @property
    def fault(self) -> str:
        """Return why no query of the test can be scored; "" if one has a match."""
        if not self.num_query:
            return "there is no query: every image is a distractor"
        if self.num_unmatched < self.num_query:
            return ""
        if self.num_query == 1:
            subject = "the only query has no"
        else:
            subject = f"none of the {self.num_query:,} queries has a"
        return f"{subject} match ({MATCH}): {self._reason}"

    @property
    def problem(self) -> str:
        """Return the fault and what to do about it; "" if a query has a match."""
        return f"{self.fault}. {self._advice}" if self.fault else ""

    @property
    def remark(self) -> str:
        """Return how many queries are not scored, and why; "" if all are, or none."""
        if not 0 < self.num_unmatched < self.num_query:
            return ""
        subject = f"{self.num_unmatched:,} of the {self.num_query:,} queries"
        return f"{subject} cannot be scored, for lack of a match ({MATCH}): {self._reason}"

    @property
    def _reason(self) -> str:
        if not self.num_gallery:
            return "there is no gallery image"
        absent = "no image of the person in the gallery"
        same_camera = "the person in the gallery under the same camera only"
        if len(self.camids) == 1:
            same_camera += f", as all images are of camera {min(self.camids)}"
        reasons = [(self.num_absent, absent), (self.num_same_camera, same_camera)]
        return "; ".join(
            f"{count:,} {'has' if count == 1 else 'have'} {text}"
            for count, text in reasons
            if count
        )

    @property
    def _advice(self) -> str:
        if not self.num_query:
            return NO_QUERY
        if not self.num_gallery:
            return NO_GALLERY
        remedies = [(self.num_absent, SAME_PIDS), (self.num_same_camera, CAMIDS)]
        return " ".join(remedy for count, remedy in remedies if count)


def has_match(
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_camid: np.ndarray,
    gallery_camid: np.ndarray,
) -> np.ndarray:
    """Return which queries have a match, (Q,) bool.

    Args:
        query_pid: (Q,).
        gallery_pid: (G,).
        query_camid: (Q,).
        gallery_camid: (G,).
    """
    cameras = _cameras_by_pid(gallery_pid.tolist(), gallery_camid.tolist())
    queries = zip(query_pid.tolist(), query_camid.tolist(), strict=True)
    return np.array([bool(cameras.get(pid, set()) - {camid}) for pid, camid in queries], bool)


def count_matches(query: Sequence[ImageRecord], gallery: Sequence[ImageRecord]) -> Matches:
    """Count the queries of a test that have a match."""
    pids = [record.pid for record in gallery]
    cameras = _cameras_by_pid(pids, [record.camid for record in gallery])
    # Per query: the cameras that show the person in the gallery, and the query's camera.
    cameras_by_query = [(cameras.get(record.pid, set()), record.camid) for record in query]
    return Matches(
        num_query=len(query),
        num_gallery=len(gallery),
        num_absent=sum(not camids for camids, _ in cameras_by_query),
        num_same_camera=sum(camids == {camid} for camids, camid in cameras_by_query),
        camids=frozenset(record.camid for record in (*query, *gallery)),
    )


def target_test(records: Sequence[ImageRecord]) -> Trial:
    """Return query and gallery of a data set that is held out, where no splits are given.

    These are the official ones if there is a query. Otherwise every image but distractors is a
    query against all images.
    """
    query = tuple(record for record in records if record.part == "query")
    if query:
        return query, tuple(record for record in records if record.part == "gallery")
    return tuple(record for record in records if not record.distractor), tuple(records)


def check_data_set(
    records: Sequence[ImageRecord],
    *,
    is_target: bool | None,
) -> tuple[str, str]:
    """Check whether a data set can be tested as a target.

    Args:
        records: All images of the data set.
        is_target: True if it is held out and `target_test` is its test, False if it only trains or
            has other splits. None if that is not known: it is then checked as a target if it has
            query or gallery images.

    Returns:
        A problem and a remark, "" if there is none. A problem of a target is a remark on other
        data sets. Single queries without a match are a remark if they are official ones.
    """
    matches = count_matches(*target_test(records))
    # Without official queries, every image is a query, and some without a match are normal.
    parts = {record.part for record in records}
    remark = matches.remark if "query" in parts else ""
    if not matches.problem:
        return "", remark
    if is_target or (is_target is None and parts & {"query", "gallery"}):
        return f"it cannot be tested: {matches.problem}", ""
    return "", f"it can train, but not be tested as it is: {matches.fault}"


def check_folds(splits: Mapping[Fold, Sequence[DomainSplit]]) -> list[str]:
    """Return remarks on the tests of which some queries cannot be scored, each once.

    Args:
        splits: Fold -> splits of its targets and sources.

    Raises:
        DatasetError: No query of a test can be scored. The message says why, for every such test.
    """
    checks = [
        _check_split(split, is_target=split.name in fold.targets)
        for fold, domains in splits.items()
        for split in domains
    ]
    # The same split is in several folds: each text appears once.
    problems, remarks = (
        list(dict.fromkeys(filter(None, texts))) for texts in zip(*checks, strict=True)
    )
    if problems:
        raise DatasetError("\n".join(problems))
    return remarks


def _check_split(split: DomainSplit, *, is_target: bool) -> tuple[str, str]:
    """Return a problem and a remark on the tests of one data set, "" if there is none."""
    if not is_target and not split.query:
        return "", ""  # a source without its own test
    tests = split.trials or ((split.query, split.gallery),)
    counts = [count_matches(query, gallery) for query, gallery in tests]
    label = f"target {split.name}" if is_target else f"source {split.name}, own test"
    for index, matches in enumerate(counts):
        if matches.problem:
            trial = f", split {index + 1} of {len(counts)}" if split.trials else ""
            advice = "" if is_target else f" {WITHOUT_TEST}"
            return f"{label}{trial}: {matches.problem}{advice}", ""
    remark = _total(counts).remark
    all_trials = ", all splits" if split.trials else ""
    return "", f"{label}{all_trials}: {remark}" if remark else ""


def _total(counts: Sequence[Matches]) -> Matches:
    """Return the sum over several tests."""
    return Matches(
        num_query=sum(matches.num_query for matches in counts),
        num_gallery=sum(matches.num_gallery for matches in counts),
        num_absent=sum(matches.num_absent for matches in counts),
        num_same_camera=sum(matches.num_same_camera for matches in counts),
        camids=frozenset(camid for matches in counts for camid in matches.camids),
    )


def _cameras_by_pid(pids: Sequence[int], camids: Sequence[int]) -> dict[int, set[int]]:
    """Return the cameras that show each person."""
    cameras: dict[int, set[int]] = {}
    for pid, camid in zip(pids, camids, strict=True):
        cameras.setdefault(pid, set()).add(camid)
    return cameras
