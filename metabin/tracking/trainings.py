"""The runs of trainings in the store, by the digest of the weights that they made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metabin.tracking.delivery import deliver_waiting
from metabin.tracking.failures import warn_on_error
from metabin.tracking.model_records import DIGEST
from metabin.tracking.provenance import project_root
from metabin.tracking.store_runs import OpenedRun

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

    from metabin.tracking.run import Run

PARENT = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """The run of a training.

    Attributes:
        is_below: whether it is below the run of this experiment; otherwise another experiment
            trained the same weights.
        metrics: the last value of each.
    """

    run_id: str
    name: str
    is_below: bool
    metrics: Mapping[str, float]


def find_trainings(run: Run) -> dict[str, TrainingRun]:
    """Return the runs of trainings of all experiments by the digest of their weights.

    Of several runs with the same weights, one of this experiment counts, then the newest. The
    result is empty if tracking is off or fails.

    Args:
        run: of the experiment.
    """
    trainings: dict[str, TrainingRun] = {}
    _fill(run, trainings)
    return trainings


@warn_on_error
def add_metrics(run: Run, training: TrainingRun, values: Mapping[str, float]) -> None:
    """Record numbers of a training that were measured after it ended, unless its run has them."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    new = [
        Metric(key, value, now, 0)
        for key, value in values.items()
        if training.metrics.get(key) != value
    ]
    if new:
        run.opened.client.log_batch(training.run_id, metrics=new)


@warn_on_error
def deliver(run: Run) -> None:
    """Deliver the records of trainings that wait: see `deliver_waiting`."""
    deliver_waiting(project_root())


@warn_on_error
def _fill(run: Run, trainings: dict[str, TrainingRun]) -> None:
    for entity in _finished(run.opened):  # oldest first: a newer one replaces it
        digest = entity.data.tags.get(DIGEST)
        is_below = entity.data.tags.get(PARENT) == run.opened.run_id
        if not digest or (digest in trainings and trainings[digest].is_below and not is_below):
            continue
        info = entity.info
        trainings[digest] = TrainingRun(
            info.run_id, str(info.run_name), is_below, entity.data.metrics
        )


def _finished(opened: OpenedRun) -> Iterator[MlflowRun]:
    token = None
    while True:
        page = opened.client.search_runs(
            [opened.experiment_id],
            "tags.kind = 'train' and attributes.status = 'FINISHED'",
            order_by=["attributes.start_time ASC"],
            max_results=1000,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return
