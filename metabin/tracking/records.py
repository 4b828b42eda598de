"""The kinds of records, and how MLflow receives each of them.

A record is a plain dictionary, which JSON can hold, with one of the keys of `RECEIVERS`. The first
record of a spool, with the key "open", is for `Delivery`. Receiving a record twice has the effect
of receiving it once, since an outage may hide that it arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from metabin.tracking.model_records import receive_model
from metabin.tracking.store_runs import OpenedRun, close_in_store, set_tags

MAX_PARAMS = 100  # MLflow's limit for a batch
MAX_POINTS = 500  # a commit of 500 takes as long as one of 1; MLflow's limit is 1000
Record = Mapping[str, Any]


def receive(run: OpenedRun, record: Record, files: Path) -> None:
    """Let MLflow receive a record.

    Args:
        files: the folder in which the paths of the record are.

    Raises:
        Exception: any error of MLflow, of its database or server.
    """
    for key, receiver in RECEIVERS.items():
        if key in record:
            receiver(run, record, files)


def merge(records: Iterable[tuple[Record, int]]) -> Iterator[tuple[Record, int]]:
    """Join consecutive records of metrics, each with the position of its end.

    MLflow takes 30 ms per record, however small it is.
    """
    points: list[Any] = []
    end = 0
    for record, position in records:
        if points and ("metrics" not in record or len(points) >= MAX_POINTS):
            yield {"metrics": points}, end
            points = []
        if "metrics" in record:
            points += record["metrics"]
        else:
            yield record, position
        end = position
    if points:
        yield {"metrics": points}, end


def _params(run: OpenedRun, record: Record, files: Path) -> None:
    from mlflow.entities import Param

    params = [Param(key, text) for key, text in record["params"].items()]
    for start in range(0, len(params), MAX_PARAMS):
        run.client.log_batch(run.run_id, params=params[start : start + MAX_PARAMS])


def _metrics(run: OpenedRun, record: Record, files: Path) -> None:
    from mlflow.entities import Metric

    metrics = [Metric(*point) for point in record["metrics"]]
    for start in range(0, len(metrics), MAX_POINTS):
        run.client.log_batch(run.run_id, metrics=metrics[start : start + MAX_POINTS])


def _tags(run: OpenedRun, record: Record, files: Path) -> None:
    set_tags(run.client, run.run_id, record["tags"])


def _files(run: OpenedRun, record: Record, files: Path) -> None:
    run.client.log_artifacts(run.run_id, str(files / record["files"]), record["to"])


def _dataset(run: OpenedRun, record: Record, files: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    use = [InputTag("mlflow.data.context", record["context"])]
    run.client.log_inputs(run.run_id, [DatasetInput(Dataset(**record["dataset"]), use)])


def _experiment_note(run: OpenedRun, record: Record, files: Path) -> None:
    run.client.set_experiment_tag(
        run.experiment_id, "mlflow.note.content", record["experiment_note"]
    )


def _model(run: OpenedRun, record: Record, files: Path) -> None:
    receive_model(run, files / record["model"], record["scores"], record["time"])


def _end(run: OpenedRun, record: Record, files: Path) -> None:
    close_in_store(run, record["end"], record["time"])


RECEIVERS: dict[str, Callable[[OpenedRun, Record, Path], None]] = {
    "params": _params,
    "metrics": _metrics,
    "tags": _tags,
    "files": _files,
    "dataset": _dataset,
    "experiment_note": _experiment_note,
    "model": _model,
    "end": _end,
}
