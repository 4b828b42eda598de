"""The MLflow run of a stage. An error costs records and a warning, and never stops the stage."""

from __future__ import annotations

import json
import logging
import math
import posixpath
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from metabin.tracking.changes import NO_CHANGES, ParamChanges
from metabin.tracking.failures import warn, warn_on_error
from metabin.tracking.formatting import clean_key, flatten, shorten
from metabin.tracking.rho import rho_metrics
from metabin.tracking.store import OpenedRun, close_in_store, set_tags
from metabin.tracking.system_metrics import start_monitor, stop_monitor

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from metabin.tracking.rho_pictures import RhoAtStep

logger = logging.getLogger("metabin.tracking")

FLUSH_POINTS = 500  # a commit of 500 takes as long as one of 1; MLflow's limit is 1000
FLUSH_SECONDS = 10.0
LOGGED_TABLES = "mlflow.loggedArtifacts"  # the tag in which the UI and mlflow.load_table look


class Run:
    """One MLflow run, made by `open_run`. A Run without an opened run does nothing."""

    def __init__(
        self,
        opened: OpenedRun | None = None,
        changes: ParamChanges = NO_CHANGES,
        *,
        system_metrics: bool = False,
    ) -> None:
        self.changes = changes
        self._opened = opened
        self._failed = False
        self._points: list[tuple[str, float, int, int]] = []  # key, value, milliseconds, step
        self._flushed = time.monotonic()
        self._not_finite: set[str] = set()
        data = opened.entity.data if opened else None
        self._params = dict(data.params) if data else {}
        self._tables = json.loads(data.tags.get(LOGGED_TABLES, "[]")) if data else []
        self._first_rho: RhoAtStep | None = None
        self._monitor = start_monitor(opened) if opened and system_metrics else None

    @warn_on_error
    def params(self, values: Mapping[str, object]) -> None:
        """Record parameters; a nested mapping becomes dotted names.

        MLflow cannot change a parameter. If a reopened run has one with another value, it keeps
        that value, with a warning.
        """
        from mlflow.entities import Param

        new = {}
        for key, value in flatten(values):
            text = shorten(str(value))
            if self._params.setdefault(key, text) == text:
                new[key] = text
            else:
                message = "parameter %s stays %s in MLflow: %s came later"
                logger.warning(message, key, self._params[key], text)
        entities = [Param(key, text) for key, text in new.items()]
        for start in range(0, len(entities), 100):
            self.opened.client.log_batch(self.opened.run_id, params=entities[start : start + 100])

    @warn_on_error
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers at a step. They are collected in memory and written in batches.

        Values that are not finite are left out: MLflow stores inf as 1.8e308, which breaks charts.
        The tag `not_finite.<key>` has the first step with such a value.
        """
        now = int(time.time() * 1000)
        for key, value in values.items():
            number = float(value)
            if math.isfinite(number):
                self._points.append((clean_key(key), number, now, step))
            elif key not in self._not_finite:
                self._not_finite.add(key)
                self.opened.client.set_tag(
                    self.opened.run_id, f"not_finite.{clean_key(key)}", f"step {step}"
                )
        if len(self._points) >= FLUSH_POINTS or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    @warn_on_error
    def rho(self, values: Mapping[str, np.ndarray], step: int) -> None:
        """Record rho of every BIN layer: metrics, and pictures with a step slider in the MLflow UI.

        Args:
            values: layer name -> rho of its channels, (C,), each in [0, 1].
        """
        from metabin.tracking.rho_pictures import RhoAtStep, rho_pictures
        from metabin.tracking.step_pictures import log_pictures

        if not values:
            return
        self.metrics(rho_metrics(values), step)
        self._first_rho = self._first_rho or RhoAtStep(step, values)
        start = self._first_rho if self._first_rho.step != step else None
        pictures = rho_pictures(values, step, start)
        log_pictures(self.opened.client, self.opened.run_id, pictures, step)

    @warn_on_error
    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Record a table as `<name>.json`, which the MLflow UI shows and `mlflow.load_table` reads.

        An existing table of that name is replaced; mlflow.log_table would append to it.
        """
        import pandas as pd

        target = f"{name}.json"
        plain = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / posixpath.basename(target)
            plain.to_json(path, orient="split", index=False, date_format="iso")
            self.opened.client.log_artifact(
                self.opened.run_id, str(path), posixpath.dirname(target) or None
            )
        entry = {"path": target, "type": "table"}
        if entry not in self._tables:
            self._tables.append(entry)
            self.opened.client.set_tag(self.opened.run_id, LOGGED_TABLES, json.dumps(self._tables))

    @warn_on_error
    def file(self, path: Path, folder: str | None = None) -> None:
        """Record a file. If it is missing, log a warning and continue."""
        if Path(path).is_file():
            self.opened.client.log_artifact(self.opened.run_id, str(path), folder)
        else:
            logger.warning("not recorded in MLflow: %s is not a file", path)

    @warn_on_error
    def document(self, path: str, values: Mapping[str, object]) -> None:
        """Record nested values as a YAML file, which the MLflow UI shows."""
        self.opened.client.log_dict(self.opened.run_id, dict(values), path)

    @warn_on_error
    def dataset(
        self, frame: pd.DataFrame, *, name: str, digest: str, source: str, context: str
    ) -> None:
        """Record a data set of the run: the columns and the size of its table, never the images.

        Args:
            frame: one row per image.
            digest: a hash of the data; MLflow keeps 36 characters.
            source: where the data came from, as a path or URL.
            context: its use, e.g. "train", "query".
        """
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import DatasetInput, InputTag

        data = from_pandas(frame, source=source, name=name, digest=digest[:36])
        use = [InputTag("mlflow.data.context", context)]
        self.opened.client.log_inputs(
            self.opened.run_id, [DatasetInput(data._to_mlflow_entity(), use)]
        )

    @warn_on_error
    def tags(self, values: Mapping[str, object]) -> None:
        """Set tags. Unlike parameters, they can be changed."""
        set_tags(self.opened.client, self.opened.run_id, values)

    def note(self, markdown: str) -> None:
        """Set the description at the top of the run's page."""
        self.tags({"mlflow.note.content": markdown})

    @warn_on_error
    def note_experiment(self, markdown: str) -> None:
        """Set the description of the MLflow experiment, above the list of runs."""
        experiment = self.opened.experiment_id
        self.opened.client.set_experiment_tag(experiment, "mlflow.note.content", markdown)

    def link(self, path: str = "") -> str:
        """Return the address of the run in the MLflow UI, or that of one of its files."""
        if self._opened is None:
            return ""
        place = f"#/experiments/{self.opened.experiment_id}/runs/{self.opened.run_id}"
        return f"{place}/artifacts/{path}" if path else place

    def close(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Write the metrics in memory and end the run. `open_run` calls this."""
        self._flush_all()
        if self._opened is None:
            return
        try:  # also after an error, which may have been temporary
            close_in_store(self._opened, status)
        except Exception as error:
            if not self._failed:
                warn(f"the end of {self._opened.entity.info.run_name}", error)
        self._opened = None

    @property
    def is_open(self) -> bool:
        """Whether the run records; False after an error, and if tracking is off."""
        return self._opened is not None and not self._failed

    @property
    def name(self) -> str:
        """The name of the run; "" if none is open."""
        return str(self.opened.entity.info.run_name) if self._opened else ""

    @property
    def opened(self) -> OpenedRun:
        """The run in the store."""
        assert self._opened is not None
        return self._opened

    @warn_on_error
    def _flush_all(self) -> None:
        self._flush()
        if self._monitor is not None:
            stop_monitor(self._monitor)

    def _flush(self) -> None:
        from mlflow.entities import Metric

        points = self._points
        self._points = []
        self._flushed = time.monotonic()
        for start in range(0, len(points), FLUSH_POINTS):
            batch = [Metric(*point) for point in points[start : start + FLUSH_POINTS]]
            self.opened.client.log_batch(self.opened.run_id, metrics=batch)
