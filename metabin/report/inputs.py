"""What the report is made of, checked at the door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from metabin.report.style import BASELINES
from metabin.results import comparisons, selection, tables
from metabin.results.published import COMPARISON

METRICS = ("mAP", "mINP", "rank1", "rank5", "rank10")
SCORE_KEYS = ("fold", "method", "seed", "test_domain")
ROLES = ("unseen", "seen")
RUN_KEYS = ("fold", "method", "seed", "step")
RHO_COLUMNS = (*RUN_KEYS, "layer", "num_channels", "mean", "q10", "q90")
HISTOGRAM_COLUMNS = (*RUN_KEYS, "layer", "bin_left", "count")
EXPLAINED = ("fold", "method", "seed", "kind", "group", "value", "test_domain", "role", "num_ids", "mAP")
MANY_DOMAINS = 40
QUERY_COLUMNS = (*SCORE_KEYS, "trial", "pid", "query", "AP")


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportInputs:
    """Everything the report shows. Fractions in [0, 1]; NaN means not evaluated.

    Args:
        title, note: heading, and a remark on the data (e.g. that the people are drawn), shown under it.
        folds, domains, methods: what is shown, in this order. A fold is one choice of source domains and of
            held-out ones; `domains` are the data sets of all folds. The untrained BASELINES follow by themselves.
        bases: of a variant, the method that it is a variant of.
        scores: fold, method, seed (-1: nothing trained), test_domain, role ("unseen": held out in that fold,
            "seen": held-out identities of a source), num_ids, num_query, mAP, mINP, rank1, rank5, rank10; and, if there
            are tests with several random splits, mAP_trial_std.
        queries: fold, method, seed, test_domain, trial, pid, query, AP of every query of unseen tests; may be empty: no
            interval over queries is given.
        candidates: of every checkpoint that was kept, `protocol.selection.COLUMNS`; may be empty.
        losses: fold, method, seed, step and a column for each loss or step size, NaN where a method has none.
        rho: fold, method, seed, step, layer (rows in network order), num_channels, mean, q10, q90.
        rho_histograms: fold, method, seed, step, layer, bin_left, count.
        explained: of forced and shifted rho, `protocol.explain.COLUMNS`; may be empty.
        published: the scores beside published results: of `protocol.published.compare(scores, load(path), name)`, where
            `name` is the named protocol that the run follows.
            `losses`, `rho`, `rho_histograms` and `published` may be empty: their sections are left out.
        ranked: {fold, test_domain, method, seed, kind, average_precision, query: {path, pid, camid},
            gallery: [{path, pid, camid, distance, correct}, ...]}; nearest first; of unseen cells.
        leaks: {fold, source, target, source_images, target_images, num_pairs, pids, distractors, overlap, remark,
            examples: [{source, target, distance, correlation}, ...]}: what a source shares with a held-out domain.
        clean: as `scores`, of the domains with near-duplicates, without these; may be empty.
        samples: {domain: paths of a few images}.
        image_root: what the paths of `ranked`, `leaks` and `samples` are relative to.
        image_folders: of local data sets, which may lie outside of image_root.
        provenance: nested parameters, digests, versions, commit.

    Raises:
        ValueError: a column is missing, a name not listed, a cell there twice, out of range or in two roles.
    """

    title: str
    folds: tuple[str, ...]
    domains: tuple[str, ...]
    methods: tuple[str, ...]
    scores: pd.DataFrame
    image_root: Path
    image_folders: tuple[Path, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)
    queries: pd.DataFrame = field(default_factory=pd.DataFrame)
    candidates: pd.DataFrame = field(default_factory=pd.DataFrame)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)
    rho: pd.DataFrame = field(default_factory=pd.DataFrame)
    rho_histograms: pd.DataFrame = field(default_factory=pd.DataFrame)
    rho_probe: pd.DataFrame = field(default_factory=pd.DataFrame)
    published: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranked_lists: Sequence[Mapping[str, Any]] = ()
    overlaps: Sequence[Mapping[str, Any]] = ()
    without_overlap: pd.DataFrame = field(default_factory=pd.DataFrame)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        _require_columns("scores", self.scores, (*SCORE_KEYS, "role", "num_ids", "num_query", *METRICS))
        _require_names("scores.fold", self.scores["fold"], self.folds)
        _require_names("scores.test_domain", self.scores["test_domain"], self.domains)
        _require_names("scores.method", self.scores["method"], (*self.methods, *BASELINES))
        _check_cells(self.scores)
        wanted = (("losses", RUN_KEYS), ("rho", RHO_COLUMNS), ("rho_histograms", HISTOGRAM_COLUMNS))
        for name, columns in wanted:
            frame: pd.DataFrame = getattr(self, name)
            if not frame.empty:
                _require_columns(name, frame, columns)
                _require_names(f"{name}.fold", frame["fold"], self.folds)
                _require_names(f"{name}.method", frame["method"], self.methods)
        if not self.queries.empty:
            _require_columns("queries", self.queries, QUERY_COLUMNS)
        if not self.candidates.empty:
            _require_columns("candidates", self.candidates, selection.COLUMNS)
        if not self.rho_probe.empty:
            _require_columns("rho_probe", self.rho_probe, EXPLAINED)
        if not self.without_overlap.empty:
            _require_columns("without_overlap", self.without_overlap, (*SCORE_KEYS, *METRICS))
        if not self.published.empty:
            _require_columns("published", self.published, COMPARISON)
        _check_ranked(self.ranked_lists, self.unseen)

    @property
    def trained(self) -> tuple[str, ...]:
        """The methods that were trained, in the order of `methods`."""
        return tuple(method for method in self.methods if method not in BASELINES)

    @property
    def rows(self) -> tuple[str, ...]:
        """The trained methods, then those of BASELINES that are scored."""
        scored = set(self.scores["method"])
        return (*self.trained, *(name for name in BASELINES if name in scored))

    @property
    def tested(self) -> tuple[str, ...]:
        """The domains that are scored in some fold; a source may have no identities to test on."""
        scored = set(self.scores["test_domain"])
        return tuple(domain for domain in self.domains if domain in scored)

    @cached_property
    def unseen(self) -> tuple[tuple[str, str], ...]:
        """(fold, test domain) of the unseen cells."""
        return tables.cells_of(self.scores, "unseen", self.folds, self.domains)

    @cached_property
    def evidence(self) -> tuple[comparisons.Evidence, ...]:
        """What the differences between the trained methods are worth."""
        return comparisons.weigh(self.scores, self.queries, self.trained, self.bases)

    @property
    def has_seen(self) -> bool:
        """Whether any source has held-out identities that were tested on."""
        return bool(self.scores.loc[self.scores["role"] == "seen", "mAP"].notna().any())

    @property
    def is_large(self) -> bool:
        """Whether more domains were tested than a table can have columns: means of kinds stand for single domains."""
        return len(self.tested) > MANY_DOMAINS

    @property
    def has_matrix(self) -> bool:
        """Whether a method has more than one cell, as a matrix of one would repeat the headline; and not too many."""
        return len(self.folds) * len(self.tested) > 1 and not self.is_large

    @property
    def pictured(self) -> tuple[str, ...]:
        """The domains whose images are shown: all of them, or where they are many those of the first fold."""
        first = set(self.scores.loc[self.scores["fold"] == self.folds[0], "test_domain"])
        return tuple(domain for domain in self.domains if not self.is_large or domain in first)

    @property
    def named_by_target(self) -> bool:
        """Whether every fold holds out one domain and is named after it, as in leave-one-domain-out."""
        return all(fold == domain for fold, domain in self.unseen)

    @property
    def folds_are_apart(self) -> bool:
        """Whether no domain is in two folds, so that folds are independent; False where sources are not tested."""
        cells = self.scores[list(tables.CELL)].drop_duplicates()
        return self.has_seen and not cells["test_domain"].duplicated().any()

    @property
    def num_seeds(self) -> int:
        """How many training seeds the scores hold."""
        return int(self.scores.loc[self.scores["seed"] >= 0, "seed"].nunique())


def _require_columns(name: str, frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    missing = [column for column in wanted if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")


def _require_names(name: str, found: pd.Series, allowed: Sequence[str]) -> None:
    extra = sorted(set(found) - set(allowed))
    if extra:
        raise ValueError(f"{name} holds {extra}, which the report was not told of; it knows {list(allowed)}")


def _check_cells(scores: pd.DataFrame) -> None:
    twice = scores[scores.duplicated(list(SCORE_KEYS))]
    if not twice.empty:
        raise ValueError(f"scores has two rows for {twice.iloc[0][list(SCORE_KEYS)].to_dict()}; keep one")
    _require_names("scores.role", scores["role"], ROLES)
    if "unseen" not in set(scores["role"]):
        raise ValueError("scores has no row with the role 'unseen'; the report is about domains that were held out")
    both = scores[scores.groupby(tables.CELL)["role"].transform("nunique") > 1]
    if not both.empty:
        cell = both.iloc[0][tables.CELL].to_dict()
        raise ValueError(f"scores has {cell} both as unseen and as seen; a fold holds a domain out or trains on it")
    for metric in METRICS:
        outside = scores[(scores[metric] < 0) | (scores[metric] > 1)]
        if not outside.empty:
            raise ValueError(f"scores.{metric} holds {outside.iloc[0][metric]}; a fraction in [0, 1] is wanted")


def _check_ranked(ranked: Sequence[Mapping[str, Any]], unseen: Sequence[tuple[str, str]]) -> None:
    for item in ranked:
        cell = (item.get("fold"), item.get("test_domain"))
        if cell not in unseen:
            raise ValueError(f"ranked has a list of (fold, test_domain) {cell}, which is no unseen cell of scores")
