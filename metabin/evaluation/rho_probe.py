"""The effect of changing rho after training.

The same network is scored with its rho forced to a value or shifted; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from metabin.data.scorable import has_match
from metabin.evaluation.overlap import select_images
from metabin.evaluation.scoring import TestSet, embed_test, retrieval_scores, score_row
from metabin.model.embedder import Embedder
from metabin.model.norm import rho_of
from metabin.rho_summary import layer_groups

FORCED_VALUES = (0.0, 0.5, 1.0)
SHIFTS = (-0.3, -0.15, 0.0, 0.15, 0.3)
ALL = "all"
COLUMNS = (
    "fold",
    "method",
    "seed",
    "kind",
    "group",
    "value",
    "mean_rho",
    "test_domain",
    "role",
    "num_ids",
    "mAP",
    "rank1",
)
# Of a test. Two dozen scorings of each model are cheap then, and all galleries show as many people.
MAX_IDS = 20


@dataclass(frozen=True, slots=True)
class RhoChange:
    """Other values of rho for a trained network.

    "force" sets all rho of a group of layers to `value`, "shift" adds `value` to all rho of the
    network.
    """

    kind: Literal["force", "shift"]
    group: str
    value: float
    rho: Mapping[str, Tensor]  # all rho of the backbone by parameter name, each (C,) in [0, 1]

    @property
    def mean_rho(self) -> float:
        """Return the mean over all channels of the network."""
        return float(torch.cat(list(self.rho.values())).mean())


def forced_rho(model: Embedder) -> list[RhoChange]:
    """Return the changes that set rho to 0, 0.5 and 1 in each group of layers, and in all layers.

    The rho of the other layers stay as learned.
    """
    learned = _learned_rho(model)
    changes = []
    for group, members in (layer_groups(list(learned)) | {ALL: tuple(learned)}).items():
        for value in FORCED_VALUES:
            forced = {name: torch.full_like(learned[name], value) for name in members}
            changes.append(RhoChange("force", group, value, learned | forced))
    return changes


def shifted_rho(model: Embedder) -> list[RhoChange]:
    """Return the changes that shift every rho by the same amount, clipped to [0, 1].

    The shift 0 is the network as it was trained.
    """
    learned = _learned_rho(model)
    changes = []
    for shift in SHIFTS:
        rho = {name: (value + shift).clamp(0, 1) for name, value in learned.items()}
        changes.append(RhoChange("shift", ALL, shift, rho))
    return changes


@contextmanager
def replace_rho(model: Embedder, rho: Mapping[str, Tensor]) -> Iterator[None]:
    """Give the model other rho inside the `with` block, and restore the same bits after it."""
    parameters = rho_of(model.backbone)
    before = {name: parameters[name].detach().clone() for name in rho}
    try:
        _fill(parameters, rho)
        yield
    finally:
        _fill(parameters, before)


def score_changes(
    model: Embedder,
    changes: Sequence[RhoChange],
    tests: Sequence[TestSet],
    device: torch.device | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one row per change and test, change by change.

    A row has kind, group, value, mean_rho and the columns of `scoring.score_row`.

    Args:
        model: trained, in evaluation mode; unchanged afterwards.
        tests: of one fold; `reduce_test` makes them small enough.
        device: computes the distances, see `scoring.retrieval_scores`.
    """
    for change in changes:
        key = {
            "kind": change.kind,
            "group": change.group,
            "value": change.value,
            "mean_rho": change.mean_rho,
        }
        rows = []
        with replace_rho(model, change.rho):
            for test in tests:
                scores = retrieval_scores(*embed_test(model, test), device)
                rows.append(score_row(scores, test))
        # Outside the block: a caller that stops early leaves the model unchanged.
        yield from (key | row for row in rows)


def reduce_test(test: TestSet, max_ids: int = MAX_IDS) -> TestSet:
    """Return the test with the images of its first people by pid alone, without distractors.

    Only people with a query that can be scored count. Neighbours by pid stay together: in the
    synthetic benchmark, look-alikes have pids that follow each other.
    """
    query = test.query
    gallery = test.gallery
    matched = has_match(query.pid, gallery.pid, query.camid, gallery.camid)
    pids = np.unique(query.pid[matched])[:max_ids]
    return replace(
        test,
        query=select_images(query, np.isin(query.pid, pids)),
        gallery=select_images(gallery, np.isin(gallery.pid, pids)),
    )


def _learned_rho(model: Embedder) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in rho_of(model.backbone).items()}


@torch.no_grad()
def _fill(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)
