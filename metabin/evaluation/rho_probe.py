"""What a learned rho does: the same trained network, scored with its rho forced or shifted. Nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from metabin.data.scorable import has_match
from metabin.evaluation.overlap import rows_of
from metabin.evaluation.scoring import TestSet, embed_test, retrieval_scores, score_row
from metabin.model.embedder import Embedder
from metabin.model.norm import RHO

FORCED = (0.0, 0.5, 1.0)
SHIFTS = (-0.3, -0.15, 0.0, 0.15, 0.3)
ALL, STEM = "all", "stem"
COLUMNS = (
    "fold", "method", "seed", "kind", "group", "value", "mean_rho", "test_domain", "role", "num_ids", "mAP", "rank1"
)  # fmt: skip
MAX_GROUPS = 6
MAX_IDS = 20  # of a test: two dozen scorings of each model are cheap then, and all galleries hold as many people


@dataclass(frozen=True, slots=True)
class Variant:
    """Other values of rho: all of a group of layers "force"d to `value`, or all of the network "shift"ed by it.

    `rho` holds every rho of the network by its parameter's name, each (C,) in [0, 1].
    """

    kind: Literal["force", "shift"]
    group: str
    value: float
    rho: Mapping[str, Tensor]

    @property
    def mean_rho(self) -> float:
        """Mean over all channels of the network."""
        return float(torch.cat(list(self.rho.values())).mean())


def rho_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """The balance parameters by their names in the model, in the network's order."""
    return {name: parameter for name, parameter in model.named_parameters() if name.split(".")[-1] == RHO}


def layer_groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Dotted names of a backbone's layers, in network order, by the stage that they are in: at most `MAX_GROUPS`.

    A stage is what the names begin with, as far as is needed to tell two apart; a first one of a single layer is called
    the stem. More stages than that become runs of neighbours with about as many layers each, and the stem alone.
    """
    stages = _stages(names)
    first, *others = stages
    if len(stages) <= MAX_GROUPS:
        runs = [[name] for name in others]
    else:
        counts = np.array([len(stages[name]) for name in others])
        middles = (counts.cumsum() - counts / 2) / counts.sum()  # in [0, 1]: what is in the middle of a run stays whole
        runs = [
            [name for name, middle in zip(others, middles, strict=True) if int(middle * (MAX_GROUPS - 1)) == index]
            for index in range(MAX_GROUPS - 1)
        ]
    groups = {STEM if len(stages[first]) == 1 else first: stages[first]}
    for run in filter(None, runs):
        title = run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
        groups[title] = tuple(name for stage in run for name in stages[stage])
    return groups


def forced(model: Embedder) -> list[Variant]:
    """rho set to 0, 0.5 and 1 in one group of layers, the others as learned, for every group; and in all layers."""
    learned = {name: parameter.detach().clone() for name, parameter in rho_of(model.backbone).items()}
    groups = layer_groups(list(learned)) | {ALL: tuple(learned)}
    return [
        Variant(
            "force",
            group,
            value,
            learned | {name: torch.full_like(learned[name], value) for name in members},
        )
        for group, members in groups.items()
        for value in FORCED
    ]


def shifted(model: Embedder) -> list[Variant]:
    """Every rho moved by the same amount and clipped to [0, 1]; the shift 0 is the model as it was trained."""
    learned = {name: parameter.detach().clone() for name, parameter in rho_of(model.backbone).items()}
    return [
        Variant("shift", ALL, shift, {name: (rho + shift).clamp(0, 1) for name, rho in learned.items()})
        for shift in SHIFTS
    ]


@contextmanager
def replaced(model: Embedder, rho: Mapping[str, Tensor]) -> Iterator[None]:
    """The model's rho are these inside the `with` block, and bit for bit the old ones after it."""
    parameters = rho_of(model.backbone)
    before = {name: parameters[name].detach().clone() for name in rho}
    try:
        _fill(parameters, rho)
        yield
    finally:
        _fill(parameters, before)


def score(
    model: Embedder, variants: Sequence[Variant], tests: Sequence[TestSet], device: torch.device | None = None
) -> Iterator[dict[str, Any]]:
    """A row for each variant and test, variant by variant: kind, group, value, mean_rho, and `evaluation.score_row`.

    Args:
        model: trained, in evaluation mode; unchanged afterwards.
        tests: of one fold; cut to size with `smaller`.
        device: where distances are computed, see `evaluation.retrieval_scores`.
    """
    for variant in variants:
        about = {"kind": variant.kind, "group": variant.group, "value": variant.value, "mean_rho": variant.mean_rho}
        with replaced(model, variant.rho):
            rows = [score_row(retrieval_scores(*embed_test(model, test), device), test) for test in tests]
        yield from (about | row for row in rows)


def smaller(test: TestSet, max_ids: int = MAX_IDS) -> TestSet:
    """The test with the queries and gallery images of its first people by pid alone, and without distractors.

    Only people with a query that can be scored count. Neighbours by pid stay together: the benchmark draws
    look-alikes with pids that follow each other.
    """
    matched = has_match(test.query.pid, test.gallery.pid, test.query.camid, test.gallery.camid)
    pids = np.unique(test.query.pid[matched])[:max_ids]
    query, gallery = (rows_of(images, np.isin(images.pid, pids)) for images in (test.query, test.gallery))
    return replace(test, query=query, gallery=gallery)


def _stages(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names by their first part, or by as many parts as it takes to tell two stages apart."""
    depth, stages = 0, dict[str, tuple[str, ...]]()
    while len(stages) < min(2, len(names)):
        depth, stages = depth + 1, {}
        for name in names:
            stage = ".".join(name.split(".")[:depth])
            stages[stage] = (*stages.get(stage, ()), name)
    return stages


@torch.no_grad()
def _fill(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)
