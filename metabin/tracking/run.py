"""The MLflow run of a stage. An error costs a warning, and never stops the stage."""

from __future__ import annotations

import json
import logging
import math
import posixpath
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from metabin.tracking.changes import NO_CHANGES, ParamChanges
from metabin.tracking.failures import warn, warn_on_error
from metabin.tracking.formatting import clean_key, flatten, shorten
from metabin.tracking.model_folder import prepare_model
from metabin.tracking.provenance import Provenance
from metabin.tracking.records import receive
from metabin.tracking.rho import rho_metrics
from metabin.tracking.store_runs import OpenedRun
from metabin.tracking.system_metrics import SystemMonitor
from metabin.tracking.unrecorded import forget_unrecorded

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from metabin.tracking.rho_pictures import RhoAtStep

logger = logging.getLogger("metabin.tracking")

LOGGED_TABLES = "mlflow.loggedArtifacts"  # the tag in which the UI and mlflow.load_table look


class Destination(Protocol):
    """Where the records of a run go: to the store, or to a spool from which they are delivered."""

    def write(self, record: dict[str, Any]) -> None:
        """Write a record, see `metabin.tracking.records`."""
        ...

    def new_folder(self) -> Path:
        """Return a new folder for the files of a record, which names the folder."""
        ...

    def close(self, *, is_complete: bool) -> None:
        """End after the last record.

        Args:
            is_complete: whether no record is missing.
        """
        ...


class DirectDestination:
    """The store itself. It stops at the first error."""

    def __init__(self, opened: OpenedRun, source: Provenance) -> None:
        self.opened = opened
        self._source = source
        self._files = tempfile.TemporaryDirectory()

    def write(self, record: dict[str, Any]) -> None:
        receive(self.opened, record, Path(self._files.name))

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._files.name))

    def close(self, *, is_complete: bool) -> None:
        self._files.cleanup()
        if is_complete:
            forget_unrecorded(self._source)


class Run:
    """One MLflow run, made by `open_run`. A Run without a destination does nothing.

    Attributes:
        name: for people; "" if the run does nothing.
        changes: the parameters that the experiment changed.
    """

    def __init__(
        self,
        name: str = "",
        destination: Destination | None = None,
        changes: ParamChanges = NO_CHANGES,
        *,
        system_metrics: bool = False,
    ) -> None:
        self.name = name
        self.changes = changes
        self._destination = destination
        self._failed = False
        self._not_finite: set[str] = set()
        # A run that is reopened has some.
        is_direct = isinstance(destination, DirectDestination)
        data = destination.opened.entity.data if is_direct else None
        self._params = dict(data.params) if data else {}
        self._tables = json.loads(data.tags.get(LOGGED_TABLES, "[]")) if data else []
        self._first_rho: RhoAtStep | None = None
        self._monitor = SystemMonitor(self._write_points) if system_metrics else None

    @warn_on_error
    def params(self, values: Mapping[str, object]) -> None:
        """Record parameters; a nested mapping becomes dotted names.

        MLflow cannot change a parameter. If a reopened run has one with another value, it keeps
        that value, with a warning.
        """
        new = {}
        for key, value in flatten(values):
            text = shorten(str(value))
            if self._params.setdefault(key, text) == text:
                new[key] = text
            else:
                message = "parameter %s stays %s in MLflow: %s came later"
                logger.warning(message, key, self._params[key], text)
        self._write({"params": new})

    @warn_on_error
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers at a step.

        Values that are not finite are left out: MLflow stores inf as 1.8e308, which breaks charts.
        The tag `not_finite.<key>` has the first step with such a value.
        """
        finite = {}
        for key, value in values.items():
            number = float(value)
            if math.isfinite(number):
                finite[clean_key(key)] = number
            elif key not in self._not_finite:
                self._not_finite.add(key)
                self._write({"tags": {f"not_finite.{clean_key(key)}": f"step {step}"}})
        self._write_points(finite, step)

    @warn_on_error
    def rho(self, values: Mapping[str, np.ndarray], step: int) -> None:
        """Record rho of every BIN layer: metrics, and pictures with a step slider in the MLflow UI.

        Args:
            values: layer name -> rho of its channels, (C,), each in [0, 1].
        """
        from metabin.tracking.rho_pictures import RhoAtStep, rho_pictures
        from metabin.tracking.step_pictures import FOLDER, TAG, save_pictures

        if not values:
            return
        self.metrics(rho_metrics(values), step)
        self._first_rho = self._first_rho or RhoAtStep(step, values)
        start = self._first_rho if self._first_rho.step != step else None
        folder = self._new_folder()
        save_pictures(rho_pictures(values, step, start), step, folder)
        self._write({"files": folder.name, "to": FOLDER})
        self._write({"tags": {TAG: "True"}})

    @warn_on_error
    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Record a table as `<name>.json`, which the MLflow UI shows and `mlflow.load_table` reads.

        An existing table of that name is replaced; mlflow.log_table would append to it.
        """
        import pandas as pd

        target = f"{name}.json"
        plain = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
        folder = self._new_folder()
        path = folder / posixpath.basename(target)
        plain.to_json(path, orient="split", index=False, date_format="iso")
        self._write({"files": folder.name, "to": posixpath.dirname(target) or None})
        entry = {"path": target, "type": "table"}
        if entry not in self._tables:
            self._tables.append(entry)
            self._write({"tags": {LOGGED_TABLES: json.dumps(self._tables)}})

    @warn_on_error
    def file(self, path: Path, to: str | None = None) -> None:
        """Record a file, in a folder of the run. If it is missing, log a warning and continue."""
        if Path(path).is_file():
            folder = self._new_folder()
            shutil.copy(path, folder)
            self._write({"files": folder.name, "to": to})
        else:
            logger.warning("not recorded in MLflow: %s is not a file", path)

    @warn_on_error
    def document(self, path: str, values: Mapping[str, object]) -> None:
        """Record nested values as a YAML file, which the MLflow UI shows."""
        import yaml

        folder = self._new_folder()
        (folder / path).write_text(yaml.dump(dict(values), indent=2, default_flow_style=False))
        self._write({"files": folder.name, "to": None})

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

        data = from_pandas(frame, source=source, name=name, digest=digest[:36])
        self._write({"dataset": dict(data._to_mlflow_entity()), "context": context})

    @warn_on_error
    def model(self, folder: Path, scores: Mapping[str, float]) -> None:
        """Record the model of a training.

        Args:
            folder: of the training.
            scores: metrics of the model; those that are not finite are left out.
        """
        target = self._new_folder()
        prepare_model(folder, target)
        finite = {key: value for key, value in scores.items() if math.isfinite(value)}
        self._write({"model": target.name, "scores": finite, "time": _now()})

    @warn_on_error
    def tags(self, values: Mapping[str, object]) -> None:
        """Set tags. Unlike parameters, they can be changed."""
        self._write({"tags": {key: str(value) for key, value in values.items()}})

    def note(self, markdown: str) -> None:
        """Set the description at the top of the run's page."""
        self.tags({"mlflow.note.content": markdown})

    @warn_on_error
    def note_experiment(self, markdown: str) -> None:
        """Set the description of the MLflow experiment, above the list of runs."""
        self._write({"experiment_note": markdown})

    def link(self, path: str = "") -> str:
        """Return the address in the MLflow UI of an experiment's run, or of one of its files."""
        place = f"#/experiments/{self.opened.experiment_id}/runs/{self.opened.run_id}"
        return f"{place}/artifacts/{path}" if path else place

    def close(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """End the run. `open_run` calls this."""
        if self._destination is None:
            return
        if self._monitor is not None:
            self._monitor.stop()
        try:  # also after an error, which may have been temporary
            self._write({"end": status, "time": _now()})
        except Exception as error:
            self.report(error)
        self._destination.close(is_complete=not self._failed)
        self._destination = None

    def report(self, error: Exception) -> None:
        """Warn of an error; once, since more would follow."""
        if not self._failed:
            self._failed = True
            warn(self.name, error)

    @property
    def is_open(self) -> bool:
        """Whether the run records. It does not if tracking is off, nor after an error of the store.

        A run with a spool goes on after an error: its records still have a place.
        """
        is_direct = isinstance(self._destination, DirectDestination)
        return self._destination is not None and not (self._failed and is_direct)

    @property
    def opened(self) -> OpenedRun:
        """The run of an experiment in the store."""
        assert isinstance(self._destination, DirectDestination)
        return self._destination.opened

    def _write_points(self, values: Mapping[str, float], step: int) -> None:
        now = _now()
        self._write({"metrics": [(key, value, now, step) for key, value in values.items()]})

    def _write(self, record: dict[str, Any]) -> None:
        assert self._destination is not None
        self._destination.write(record)

    def _new_folder(self) -> Path:
        assert self._destination is not None
        return self._destination.new_folder()


def _now() -> int:
    return int(time.time() * 1000)
