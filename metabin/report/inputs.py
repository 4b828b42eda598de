"""The inputs of the report, with their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from metabin.report.style import UNTRAINED
from metabin.results import comparisons as results
from metabin.results import selection, tables
from metabin.results.camera_pairs import PAIR
from metabin.results.published import COMPARISON
from metabin.rho_channels import RhoChannels

METRICS = ("mAP", "mINP", "rank1", "rank5", "rank10")
SCORE_KEYS = ("fold", "method", "seed", "test_domain")
SCORE_COLUMNS = (*SCORE_KEYS, "role", "num_ids", "num_query", *METRICS)
ROLES = ("unseen", "seen")
RUN_KEYS = ("fold", "method", "seed", "step")
QUERY_COLUMNS = (*SCORE_KEYS, "trial", "pid", "query", "AP")
RHO_COLUMNS = (*RUN_KEYS, "layer", "num_channels", "mean", "q10", "q90")
HISTOGRAM_COLUMNS = (*RUN_KEYS, "layer", "bin_left", "count")
PROBE_COLUMNS = (
    *("fold", "method", "seed", "kind", "group", "value"),
    *("test_domain", "role", "num_ids", "mAP"),
)
# Columns that a table must have, if it is not empty.
COLUMNS = {
    "queries": QUERY_COLUMNS,
    "candidates": selection.COLUMNS,
    "losses": RUN_KEYS,
    "rho": RHO_COLUMNS,
    "rho_histograms": HISTOGRAM_COLUMNS,
    "rho_probe": PROBE_COLUMNS,
    "published": COMPARISON,
    "without_overlap": (*SCORE_KEYS, *METRICS),
    "camera_pairs": (*SCORE_KEYS, *PAIR, "num_query", "mAP", "rank1"),
    "verification": (*SCORE_KEYS, "tpr_1e-4", "tpr_1e-3", "tpr_1e-2"),
    "embedding_map": ("fold", "method", "domain", "role", "pid", "x", "y"),
    "final_scores": ("method", "test_domain", *METRICS),
}
TRAINING_RECORDS = ("losses", "rho", "rho_histograms")
MAX_DOMAINS = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportInputs:
    """The inputs of the report. Fractions are in [0, 1]; NaN means not evaluated.

    A fold is one choice of source domains and of held-out domains. A cell is a fold and a test
    domain. A section whose inputs are empty is left out.

    Args:
        title: heading of the report.
        folds: names, in the order of display.
        domains: the data sets of all folds, in the order of display.
        methods: the trained methods, in the order of display. The UNTRAINED methods with scores
            follow them.
        scores: fold, method, seed (-1: not trained), test_domain, role ("unseen": held out in that
            fold, "seen": held-out identities of a source), num_ids, num_query, mAP, mINP, rank1,
            rank5, rank10. mAP_trial_std is optional, for tests with several random splits.
        image_root: folder to which the paths of images are relative.
        image_folders: folders of local data sets, which may lie outside of image_root.
        bases: variant -> the method that it is a variant of.
        column_groups: heading -> unseen cells (fold, test domain). In a run with more than
            MAX_DOMAINS test domains, a table has one column per group with the mean over its cells,
            instead of one column per cell.
        queries: fold, method, seed, test_domain, trial, pid, query, AP: every query of unseen
            tests, for intervals over queries.
        candidates: `results.selection.COLUMNS`: every checkpoint of every training.
        losses: fold, method, seed, step, and one column per loss or step size, NaN where a method
            does not have it.
        rho: fold, method, seed, step, layer, num_channels, mean, q10, q90; layers in network order.
        rho_histograms: fold, method, seed, step, layer, bin_left, count.
        rho_channels: (fold, method, seed) -> the rho of every channel, for one seed of each fold
            and method that learns rho, in the order of display.
        rho_probe: scores with forced and shifted rho, from the stage rho-probe: fold, method, seed,
            kind ("force", "shift"), group, value, test_domain, role, num_ids, mAP.
        published: `results.published.compare` of the scores with the protocol's published results.
        ranked_lists: {fold, test_domain, method, seed, kind, average_precision, query: {path, pid,
            camid}, gallery: [{path, pid, camid, distance, correct}, ...]} of unseen cells, nearest
            gallery image first.
        overlaps: {fold, source, target, source_images, target_images, num_pairs, pids, distractors,
            known_overlap, possible_overlap, examples: [{source, target, distance, correlation},
            ...]}: the images and people that a source shares with a held-out domain.
        without_overlap: as `scores`, without the people in near-duplicates, for the domains that
            have any.
        camera_pairs: fold, method, seed, test_domain, query_camid, gallery_camid, num_query, mAP,
            rank1: unseen tests with the queries of one camera and the gallery of another.
        verification: fold, method, seed, test_domain, tpr_1e-4, tpr_1e-3, tpr_1e-2: TPR at a fixed
            FPR of the pairs of unseen tests; NaN with too few pairs.
        embedding_map: fold, method, domain, role, pid, x, y: places of a sample of test images.
        final_models: method -> folder of its model that trained on all domains.
        final_scores: scores of these models on the held-out identities of the domains: method,
            test_domain, mAP, mINP, rank1, rank5, rank10. Empty if all identities train.
        samples: domain -> paths of a few images.
        provenance: nested parameters, digests, versions and commit.
        note: a remark on the data, displayed under the title.

    Raises:
        ValueError: a column is missing, a name is not listed, a cell is a duplicate, out of range
            or has two roles.
    """

    title: str
    folds: tuple[str, ...]
    domains: tuple[str, ...]
    methods: tuple[str, ...]
    scores: pd.DataFrame
    image_root: Path
    image_folders: tuple[Path, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)
    column_groups: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    queries: pd.DataFrame = field(default_factory=pd.DataFrame)
    candidates: pd.DataFrame = field(default_factory=pd.DataFrame)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)
    rho: pd.DataFrame = field(default_factory=pd.DataFrame)
    rho_histograms: pd.DataFrame = field(default_factory=pd.DataFrame)
    rho_channels: Mapping[tuple[str, str, int], RhoChannels] = field(default_factory=dict)
    rho_probe: pd.DataFrame = field(default_factory=pd.DataFrame)
    published: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranked_lists: Sequence[Mapping[str, Any]] = ()
    overlaps: Sequence[Mapping[str, Any]] = ()
    without_overlap: pd.DataFrame = field(default_factory=pd.DataFrame)
    camera_pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    verification: pd.DataFrame = field(default_factory=pd.DataFrame)
    embedding_map: pd.DataFrame = field(default_factory=pd.DataFrame)
    final_models: Mapping[str, str] = field(default_factory=dict)
    final_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        _require_columns("scores", self.scores, SCORE_COLUMNS)
        _require_names("scores.fold", self.scores["fold"], self.folds)
        _require_names("scores.test_domain", self.scores["test_domain"], self.domains)
        _require_names("scores.method", self.scores["method"], (*self.methods, *UNTRAINED))
        _check_cells(self.scores)
        for name, columns in COLUMNS.items():
            frame: pd.DataFrame = getattr(self, name)
            if frame.empty:
                continue
            _require_columns(name, frame, columns)
            if name in TRAINING_RECORDS:
                _require_names(f"{name}.fold", frame["fold"], self.folds)
                _require_names(f"{name}.method", frame["method"], self.methods)
        _require_names("final_models", pd.Series(list(self.final_models)), self.methods)
        _check_ranked_lists(self.ranked_lists, self.unseen)
        # Tables select these cells, so each must exist.
        for name, cells in self.column_groups.items():
            if missing := [cell for cell in cells if cell not in self.unseen]:
                raise ValueError(
                    f"column_groups[{name!r}] has {missing}, which scores does not have as unseen"
                )

    @property
    def trained(self) -> tuple[str, ...]:
        """The trained methods, in the order of `methods`."""
        return tuple(method for method in self.methods if method not in UNTRAINED)

    @property
    def rows(self) -> tuple[str, ...]:
        """The trained methods, then the UNTRAINED methods with scores."""
        scored = set(self.scores["method"])
        return (*self.trained, *(name for name in UNTRAINED if name in scored))

    @property
    def tested(self) -> tuple[str, ...]:
        """The domains with scores in some fold. A source may have no identities to test on."""
        scored = set(self.scores["test_domain"])
        return tuple(domain for domain in self.domains if domain in scored)

    @cached_property
    def unseen(self) -> tuple[tuple[str, str], ...]:
        """The unseen cells, as (fold, test domain)."""
        return tables.cells_of(self.scores, "unseen", self.folds, self.domains)

    @cached_property
    def comparisons(self) -> tuple[results.MethodComparison, ...]:
        """The comparisons of the trained methods."""
        return results.compare_methods(self.scores, self.queries, self.trained, self.bases)

    @property
    def has_intervals(self) -> bool:
        """Return whether any comparison has an interval."""
        return any(item.over_units or item.over_queries for item in self.comparisons)

    @property
    def has_seen(self) -> bool:
        """Return whether any source has a score on held-out identities."""
        return bool(self.scores.loc[self.scores["role"] == "seen", "mAP"].notna().any())

    @property
    def is_large(self) -> bool:
        """Return whether there are too many test domains for one column each."""
        return len(self.tested) > MAX_DOMAINS

    @property
    def has_matrix(self) -> bool:
        """Return whether matrices of folds by test domains are displayed.

        A matrix of one cell would repeat the table of results; one of a large run has no room.
        """
        return len(self.folds) * len(self.tested) > 1 and not self.is_large

    @property
    def pictured(self) -> tuple[str, ...]:
        """The domains whose images are displayed: all; in a large run those of the first fold."""
        first = set(self.scores.loc[self.scores["fold"] == self.folds[0], "test_domain"])
        return tuple(domain for domain in self.domains if not self.is_large or domain in first)

    @property
    def named_by_target(self) -> bool:
        """Return whether every fold has one held-out domain and its name (leave one domain out)."""
        return all(fold == domain for fold, domain in self.unseen)

    @property
    def folds_are_disjoint(self) -> bool:
        """Return whether no domain is in two folds, so that folds are independent.

        False if sources are not tested, as then their names are unknown here.
        """
        cells = self.scores[list(tables.CELL)].drop_duplicates()
        return self.has_seen and not cells["test_domain"].duplicated().any()

    @property
    def num_seeds(self) -> int:
        """Number of training seeds with scores."""
        return int(self.scores.loc[self.scores["seed"] >= 0, "seed"].nunique())


def _require_columns(name: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        present = ", ".join(map(str, frame.columns))
        raise ValueError(f"{name} has no column {', '.join(missing)}; it has {present}")


def _require_names(name: str, values: pd.Series, allowed: Sequence[str]) -> None:
    extra = sorted(set(values) - set(allowed))
    if extra:
        raise ValueError(f"{name} holds {extra}, which the inputs do not list: {list(allowed)}")


def _check_cells(scores: pd.DataFrame) -> None:
    duplicates = scores[scores.duplicated(list(SCORE_KEYS))]
    if not duplicates.empty:
        row = duplicates.iloc[0][list(SCORE_KEYS)].to_dict()
        raise ValueError(f"scores has two rows for {row}; keep one")
    _require_names("scores.role", scores["role"], ROLES)
    if "unseen" not in set(scores["role"]):
        raise ValueError("scores has no row with the role 'unseen'; a report needs held-out tests")
    # Methods of one fold share its sources, so a cell has the same role for all of them.
    two_roles = scores[scores.groupby(tables.CELL)["role"].transform("nunique") > 1]
    if not two_roles.empty:
        cell = two_roles.iloc[0][tables.CELL].to_dict()
        raise ValueError(
            f"scores has {cell} both as unseen and as seen; a fold holds a domain out or trains on "
            "it"
        )
    for metric in METRICS:
        outside = scores[(scores[metric] < 0) | (scores[metric] > 1)]
        if not outside.empty:
            value = outside.iloc[0][metric]
            raise ValueError(f"scores.{metric} holds {value}; expected a fraction in [0, 1]")


def _check_ranked_lists(
    ranked_lists: Sequence[Mapping[str, Any]], unseen: Sequence[tuple[str, str]]
) -> None:
    for item in ranked_lists:
        cell = (item.get("fold"), item.get("test_domain"))
        if cell not in unseen:
            raise ValueError(
                f"ranked_lists has (fold, test_domain) {cell}, which is no unseen cell of scores"
            )
