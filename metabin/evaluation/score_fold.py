"""The tables of one fold: every model and every candidate, scored on the tests of the fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from metabin.evaluation import embedding_map
from metabin.evaluation.camera_pairs import PAIR, camera_pair_scores
from metabin.evaluation.overlap import without_overlap
from metabin.evaluation.ranked_lists import Retrieval, example_lists
from metabin.evaluation.scoring import (
    TestSet,
    embed_test,
    mean_over_trials,
    query_table,
    retrieval_scores,
    score_row,
)
from metabin.evaluation.untrained import UNTRAINED
from metabin.evaluation.verification import RATES, verification_scores
from metabin.model.embedder import Embedder
from metabin.types import Embeddings, ImageRecord

# Columns of `FoldTables.selection`, which `metabin.results.selection` reads.
SELECTION_COLUMNS = (
    "fold",
    "method",
    "seed",
    "step",
    "test_domain",
    "mAP",
    "rank1",
    "source_mAP",
)
TEST_KEY = ("fold", "method", "seed", "test_domain")
CAMERA_PAIR_COLUMNS = (*TEST_KEY, *PAIR, "num_query", "mAP", "rank1")
VERIFICATION_COLUMNS = (*TEST_KEY, "num_positives", "num_negatives", *RATES)
MAP_COLUMNS = ("fold", "method", "seed", *embedding_map.COLUMNS)
UNTRAINED_SEED = -1


class LoadModel(Protocol):
    """Return the model of a method and a seed, or its candidate of an earlier step."""

    def __call__(self, method: str, seed: int, /, *, step: int | None = None) -> Embedder: ...


@dataclass(frozen=True, slots=True)
class FoldInputs:
    """The tests of a fold, and functions that load its models."""

    fold: str
    trainings: Sequence[tuple[str, int]]  # method and seed
    example: tuple[str, int]  # the training whose ranked lists are shown ...
    baseline: tuple[str, int] | None  # ... beside those of this one, for the same queries
    mapped: Sequence[tuple[str, int]]  # the trainings whose embeddings are mapped
    tests: Sequence[TestSet]  # the held-out domains first
    overlaps: Sequence[Mapping[str, Any]]  # see `metabin.data.store.load_overlaps`
    fingerprints: Mapping[str, str]  # by domain
    image_roots: Mapping[str, Path]  # by domain
    load_records: Callable[[str], Sequence[ImageRecord]]  # of a domain
    load_model: LoadModel
    # The steps of a training's candidates, ascending, each with its mAP on the sources. The last is
    # the model at the end of the training.
    load_candidates: Callable[[str, int], Mapping[int, float]]
    # The rows of `score_row` that a training has written for its model on the tests of its sources.
    load_source_scores: Callable[[str, int], Sequence[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class FoldTables:
    """The scores of one fold.

    `trials` has one row per method, seed and test; `scores` has the means over trials, and
    `without_overlap` the same for tests without their overlap with the sources. These three have
    the fingerprint of the test domain. `queries` has one row per query of the held-out domains,
    `selection` one row per candidate and held-out domain. `camera_pairs` has one row per method,
    seed, held-out domain and pair of cameras, `verification` one row per method, seed and held-out
    domain, `embedding_map` one row per mapped training and image.
    """

    scores: pd.DataFrame
    trials: pd.DataFrame
    without_overlap: pd.DataFrame
    queries: pd.DataFrame
    selection: pd.DataFrame
    camera_pairs: pd.DataFrame
    verification: pd.DataFrame
    embedding_map: pd.DataFrame
    ranked_lists: list[dict[str, Any]]


def score_fold(
    inputs: FoldInputs,
    device: torch.device,
    advance: Callable[[int], None] = lambda count: None,
) -> FoldTables:
    """Score the untrained methods, every model and every candidate of a fold.

    Args:
        device: computes the distances, see `metabin.evaluation.scoring.retrieval_scores`.
        advance: called with 1 after every model; candidates do not count.
    """
    scorer = _Scorer(inputs, device)
    scorer.score_untrained()
    for method, seed in inputs.trainings:
        scorer.score_model(method, seed)
        advance(1)
    return scorer.tables()


class _Scorer:
    """Collect the rows of a fold's tables."""

    def __init__(self, inputs: FoldInputs, device: torch.device) -> None:
        self.inputs = inputs
        self.device = device
        self.pairs = [(test, without_overlap(test, inputs.overlaps)) for test in inputs.tests]
        self.trials: list[dict[str, Any]] = []
        self.reduced_trials: list[dict[str, Any]] = []  # without overlap
        self.queries: list[pd.DataFrame] = []
        self.camera_pairs: list[dict[str, Any]] = []
        self.verification: list[dict[str, Any]] = []
        self.maps: list[pd.DataFrame] = []
        # By held-out domain: the embeddings that ranked lists show.
        self.examples: dict[str, tuple[TestSet, Retrieval]] = {}
        self.baselines: dict[str, Retrieval] = {}

    def score_untrained(self) -> None:
        """Add the rows of the methods that need no training."""
        for method, score in UNTRAINED.items():
            key = _key(self.inputs.fold, method, UNTRAINED_SEED)
            for test, reduced in self.pairs:
                self.trials.append(key | score_row(score(test), test))
                if reduced:
                    row = score_row(score(reduced.test), reduced.test)
                    self.reduced_trials.append(key | row)

    def score_model(self, method: str, seed: int) -> None:
        """Add the rows of one model: its ranked lists if it is the example, its map if mapped.

        Tests of sources that the training has scored are not scored again.
        """
        key = _key(self.inputs.fold, method, seed)
        model = self.inputs.load_model(method, seed)
        if (method, seed) in self.inputs.mapped:
            self.add_map(key, model)
        written = self.inputs.load_source_scores(method, seed)
        source_rows = {(row["test_domain"], row["trial"]): row for row in written}
        for test, reduced in self.pairs:
            row = source_rows.get((test.domain, -1 if test.trial is None else test.trial))
            if row and not test.unseen:
                self.trials.append(key | row)
                continue
            query, gallery = embed_test(model, test)
            scores = retrieval_scores(query, gallery, self.device)
            self.trials.append(key | score_row(scores, test))
            if test.unseen:
                table = query_table(scores, test)
                self.queries.append(pd.DataFrame(key, index=table.index).join(table))
                self.add_pair_scores(key | {"test_domain": test.domain}, query, gallery)
            if reduced:
                embeddings = reduced.embeddings(query, gallery)
                row = score_row(retrieval_scores(*embeddings, self.device), reduced.test)
                self.reduced_trials.append(key | row)
            # Of several trials, the first is enough for the ranked lists.
            if test.unseen and test.trial in (None, 0):
                retrieval = Retrieval(key | {"test_domain": test.domain}, query, gallery)
                if (method, seed) == self.inputs.example:
                    self.examples[test.domain] = (test, retrieval)
                elif (method, seed) == self.inputs.baseline:
                    self.baselines[test.domain] = retrieval

    def add_map(self, key: Mapping[str, Any], model: Embedder) -> None:
        """Add the map of one model."""
        table = embedding_map.embedding_map(model, self.inputs.tests)
        self.maps.append(pd.DataFrame(key, index=table.index).join(table))

    def add_pair_scores(
        self, key: Mapping[str, Any], query: Embeddings, gallery: Embeddings
    ) -> None:
        """Add the rows of camera pairs and of verification of one test."""
        rows = camera_pair_scores(query, gallery, self.device)
        self.camera_pairs += [{**key, **row} for row in rows]
        self.verification.append({**key, **verification_scores(query, gallery, self.device)})

    def ranked_lists(self) -> list[dict[str, Any]]:
        """Return the ranked lists of the example and of its baseline, for the same queries."""
        lists: list[dict[str, Any]] = []
        for domain, (test, example) in self.examples.items():
            records = self.inputs.load_records(domain)
            folder = str(self.inputs.image_roots[domain])
            lists += example_lists(example, self.baselines.get(domain), test, records, folder)
        return lists

    def tables(self) -> FoldTables:
        """Score the candidates, and return all tables."""
        trials = pd.DataFrame(self.trials)
        scores = mean_over_trials(trials)
        reduced = scores.iloc[:0]
        if self.reduced_trials:
            reduced = mean_over_trials(pd.DataFrame(self.reduced_trials))
        maps = pd.concat(self.maps) if self.maps else pd.DataFrame(columns=list(MAP_COLUMNS))
        return FoldTables(
            scores=self.add_fingerprints(scores),
            trials=self.add_fingerprints(trials),
            without_overlap=self.add_fingerprints(reduced),
            queries=pd.concat(self.queries),
            selection=score_candidates(self.inputs, scores, self.device),
            camera_pairs=_means(self.camera_pairs, CAMERA_PAIR_COLUMNS, (*TEST_KEY, *PAIR)),
            verification=_means(self.verification, VERIFICATION_COLUMNS, TEST_KEY),
            embedding_map=maps,
            ranked_lists=self.ranked_lists(),
        )

    def add_fingerprints(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add the fingerprint of the tested data set to every row."""
        return table.assign(fingerprint=table["test_domain"].map(self.inputs.fingerprints))


def score_candidates(
    inputs: FoldInputs,
    scores: pd.DataFrame,
    device: torch.device,
) -> pd.DataFrame:
    """Score every candidate of a fold on the held-out domains.

    Args:
        scores: means over trials of every model. The last candidate of a training is its model and
            is not scored again.

    Returns:
        SELECTION_COLUMNS; one row per candidate and held-out domain.
    """
    tests = [test for test in inputs.tests if test.unseen]
    tables = []
    for method, seed in inputs.trainings:
        key = _key(inputs.fold, method, seed)
        *earlier, last = inputs.load_candidates(method, seed).items()
        for step, source_mAP in earlier:  # noqa: N806 (the column's name)
            model = inputs.load_model(method, seed, step=step)
            rows = []
            for test in tests:
                result = retrieval_scores(*embed_test(model, test), device)
                rows.append(key | score_row(result, test))
            table = mean_over_trials(pd.DataFrame(rows))
            tables.append(table.assign(step=step, source_mAP=source_mAP))
        of_training = (scores["method"] == method) & (scores["seed"] == seed)
        final = scores[of_training & (scores["role"] == "unseen")]
        tables.append(final.assign(step=last[0], source_mAP=last[1]))
    return pd.concat(tables)[list(SELECTION_COLUMNS)]


def _key(fold: str, method: str, seed: int) -> dict[str, Any]:
    return {"fold": fold, "method": method, "seed": seed}


def _means(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], key: Sequence[str]
) -> pd.DataFrame:
    """Return the means of rows with the same key: those of the trials of a test."""
    table = pd.DataFrame(rows, columns=list(columns))
    if table.empty:
        return table
    means = table.groupby(list(key), sort=False).mean()
    counts = [name for name in means if str(name).startswith("num_")]
    return means.astype(dict.fromkeys(counts, int)).reset_index()
