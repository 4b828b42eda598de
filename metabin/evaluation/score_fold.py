"""The tables of one fold: every model and every candidate, scored on the tests of the fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch

from metabin.evaluation.overlap import without_overlap
from metabin.evaluation.ranked_lists import example_lists
from metabin.evaluation.scoring import (
    TestSet,
    embed_test,
    mean_over_trials,
    query_table,
    retrieval_scores,
    score_row,
)
from metabin.evaluation.untrained import UNTRAINED
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
UNTRAINED_SEED = -1


class LoadModel(Protocol):
    """Return the model of a method and a seed, or its candidate of an earlier step."""

    def __call__(self, method: str, seed: int, /, *, step: int | None = None) -> Embedder: ...


@dataclass(frozen=True, slots=True)
class FoldInputs:
    """The tests of a fold, and functions that load its models."""

    fold: str
    trainings: Sequence[tuple[str, int]]  # method and seed
    example: tuple[str, int]  # the training whose ranked lists are shown
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
    `selection` one row per candidate and held-out domain.
    """

    scores: pd.DataFrame
    trials: pd.DataFrame
    without_overlap: pd.DataFrame
    queries: pd.DataFrame
    selection: pd.DataFrame
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
        self.ranked_lists: list[dict[str, Any]] = []

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
        """Add the rows of one model, and its ranked lists if it is the example.

        Tests of sources that the training has scored are not scored again.
        """
        key = _key(self.inputs.fold, method, seed)
        model = self.inputs.load_model(method, seed)
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
            if reduced:
                embeddings = reduced.embeddings(query, gallery)
                row = score_row(retrieval_scores(*embeddings, self.device), reduced.test)
                self.reduced_trials.append(key | row)
            # Of several trials, the first is enough for the ranked lists.
            is_example = (method, seed) == self.inputs.example
            if is_example and test.unseen and test.trial in (None, 0):
                self.add_ranked_lists(key, test, query, gallery)

    def add_ranked_lists(
        self,
        key: Mapping[str, Any],
        test: TestSet,
        query: Embeddings,
        gallery: Embeddings,
    ) -> None:
        """Add the ranked lists of one test."""
        records = self.inputs.load_records(test.domain)
        folder = str(self.inputs.image_roots[test.domain])
        for entry in example_lists(query, gallery, test, records, folder):
            self.ranked_lists.append({**key, "test_domain": test.domain, **entry})

    def tables(self) -> FoldTables:
        """Score the candidates, and return all tables."""
        trials = pd.DataFrame(self.trials)
        scores = mean_over_trials(trials)
        reduced = scores.iloc[:0]
        if self.reduced_trials:
            reduced = mean_over_trials(pd.DataFrame(self.reduced_trials))
        return FoldTables(
            scores=self.add_fingerprints(scores),
            trials=self.add_fingerprints(trials),
            without_overlap=self.add_fingerprints(reduced),
            queries=pd.concat(self.queries),
            selection=score_candidates(self.inputs, scores, self.device),
            ranked_lists=self.ranked_lists,
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
