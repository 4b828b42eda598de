"""A run that a stage writes to. It may lose records, and says so once; it never stops the stage."""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import posixpath
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec

from metabin.errors import ConfigError
from metabin.tracking.machine import last_look, watch_machine
from metabin.tracking.provenance import read_provenance
from metabin.tracking.rho import ALL_LAYERS, rho_metrics, rho_pictures
from metabin.tracking.store import Opened, close_in_store, open_beneath, open_in_store, set_tags
from metabin.tracking.text import clean_key, describe, flatten, shorten

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

P = ParamSpec("P")
logger = logging.getLogger("metabin.tracking")

FLUSH_POINTS = 500  # a commit costs much the same for 1 point as for 500; MLflow takes at most 1000
FLUSH_SECONDS = 10.0
LOGGED_TABLES = "mlflow.loggedArtifacts"  # the tag by which the MLflow page and mlflow.load_table find tables


def _quiet(method: Callable[Concatenate[Run, P], None]) -> Callable[Concatenate[Run, P], None]:
    """Make a method do nothing when tracking is off or has failed, and its first failure a warning."""

    @functools.wraps(method)
    def guarded(self: Run, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self._opened is None or self._failed:
            return
        try:
            with warnings.catch_warnings():  # MLflow's and pandas' own, about which a stage can do nothing
                warnings.simplefilter("ignore")
                method(self, *args, **kwargs)
        except Exception as error:  # whatever it is, training goes on
            self._failed = True
            _warn(f"the rest of {self._at.entity.info.run_name}", error)

    return guarded


class Run:
    """One MLflow run. Made by `open_run`; a Run without an opened run does nothing."""

    def __init__(self, opened: Opened | None = None) -> None:
        self._opened = opened
        self._failed = False
        self._points: list[tuple[str, float, int, int]] = []  # key, value, milliseconds, step
        self._flushed = time.monotonic()
        self._not_finite: set[str] = set()
        self._params = dict(opened.entity.data.params) if opened else {}
        self._tables = json.loads(opened.entity.data.tags.get(LOGGED_TABLES, "[]")) if opened else []
        self._pictures: Opened | None = None
        self._last_picture: np.ndarray | None = None
        self._monitor = watch_machine(opened) if opened and opened.parent_id else None

    @_quiet
    def params(self, values: Mapping[str, object]) -> None:
        """Record parameters; a nested mapping becomes dotted names.

        MLflow cannot change a parameter. One that the (reopened) run already has with another value keeps it,
        with a warning.
        """
        from mlflow.entities import Param

        new = {}
        for key, value in flatten(values):
            text = shorten(str(value))
            if self._params.setdefault(key, text) == text:
                new[key] = text
            else:
                logger.warning("parameter %s stays %s in MLflow: %s came later", key, self._params[key], text)
        entities = [Param(key, text) for key, text in new.items()]
        for start in range(0, len(entities), 100):
            self._at.client.log_batch(self._at.run_id, params=entities[start : start + 100])

    @_quiet
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers at a step. They wait in memory and are written in batches.

        A value that is not finite is left out, since MLflow stores inf as 1.8e308 and charts break; the tag
        `not_finite` keeps where it first happened, for each key.
        """
        now = int(time.time() * 1000)
        for key, value in values.items():
            number = float(value)
            if math.isfinite(number):
                self._points.append((clean_key(key), number, now, step))
            elif key not in self._not_finite:
                self._not_finite.add(key)
                self._at.client.set_tag(self._at.run_id, f"not_finite.{clean_key(key)}", f"step {step}")
        if len(self._points) >= FLUSH_POINTS or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    @_quiet
    def rho(self, values: Mapping[str, np.ndarray], step: int) -> None:
        """Record the gates of every BIN layer: metrics, and pictures with a step slider on the MLflow page.

        The pictures are in a run beneath this one, because MLflow prints all parameters of a run over each of
        its pictures and hides them; this run keeps the last picture of all layers as a file.

        Args:
            values: layer name -> rho of its channels, (C,), each in [0, 1].
        """
        if not values:
            return
        self.metrics(rho_metrics(values), step)
        if self._pictures is None:
            self._pictures = open_beneath(self._at, "rho")
        for key, picture in rho_pictures(values, step).items():
            self._at.client.log_image(self._pictures.run_id, picture, key=clean_key(key), step=step)
            if key == ALL_LAYERS:
                self._last_picture = picture

    @_quiet
    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Record a table as `<name>.json`, which the MLflow page shows and `mlflow.load_table` reads.

        Written whole: a table of that name is replaced, where mlflow.log_table would append to it.
        """
        import pandas as pd

        target = f"{name}.json"
        plain = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / posixpath.basename(target)
            plain.to_json(path, orient="split", index=False, date_format="iso")
            self._at.client.log_artifact(self._at.run_id, str(path), posixpath.dirname(target) or None)
        entry = {"path": target, "type": "table"}
        if entry not in self._tables:
            self._tables.append(entry)
            self._at.client.set_tag(self._at.run_id, LOGGED_TABLES, json.dumps(self._tables))

    @_quiet
    def file(self, path: Path, folder: str | None = None) -> None:
        """Record a file. A missing one costs a warning, and tracking goes on."""
        if Path(path).is_file():
            self._at.client.log_artifact(self._at.run_id, str(path), folder)
        else:
            logger.warning("not recorded in MLflow: %s is not a file", path)

    @_quiet
    def dataset(self, frame: pd.DataFrame, *, name: str, digest: str, source: str, context: str) -> None:
        """Record which data the run read: the manifest's columns and size, never the images.

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
        self._at.client.log_inputs(self._at.run_id, [DatasetInput(data._to_mlflow_entity(), use)])

    @_quiet
    def tags(self, values: Mapping[str, object]) -> None:
        """Set tags; unlike parameters they can be changed."""
        set_tags(self._at.client, self._at.run_id, values)

    def note(self, markdown: str) -> None:
        """Set the description that heads the run's page."""
        self.tags({"mlflow.note.content": markdown})

    def close(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        """Write what is in memory and end the run. `open_run` calls this."""
        self._flush_all()
        if self._opened is None:
            return
        try:  # also when tracking has failed: it may have been a passing fault
            if self._pictures is not None:
                close_in_store(self._pictures, status)
            close_in_store(self._opened, status)
        except Exception as error:
            if not self._failed:
                _warn(f"the end of {self._opened.entity.info.run_name}", error)
        self._opened = None

    @property
    def _at(self) -> Opened:
        assert self._opened is not None
        return self._opened

    @_quiet
    def _flush_all(self) -> None:
        self._flush()
        if self._last_picture is not None:
            self._at.client.log_image(self._at.run_id, self._last_picture, f"{ALL_LAYERS}.png")
        if self._monitor is not None:
            last_look(self._monitor)

    def _flush(self) -> None:
        from mlflow.entities import Metric

        points, self._points, self._flushed = self._points, [], time.monotonic()
        for start in range(0, len(points), FLUSH_POINTS):
            batch = [Metric(*point) for point in points[start : start + FLUSH_POINTS]]
            self._at.client.log_batch(self._at.run_id, metrics=batch)


@contextmanager
def open_run(
    kind: Literal["parent", "train", "evaluate", "explain"], name: str = "", *, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """Open a run of this DVC experiment, and close it with the outcome of the `with` block.

    Args:
        kind: "parent" opens the experiment's own run, again if there is one; the others make a new child of
            it, and an earlier child of the same kind and name gets the tag superseded=true.
        name: what a child is about, e.g. "grid/metabin/seed-0"; also its tag `title`. A parent is named after
            the experiment, whatever is given.
        tags: more tags for the run.

    Raises: ConfigError for a METABIN_TRACKING that is neither on nor off, and whatever the block raises.
    """
    run = _open(kind, name, tags or {}) if tracking_enabled() else Run()
    try:
        yield run
    except BaseException as error:
        asked = isinstance(error, KeyboardInterrupt)
        clean = isinstance(error, SystemExit) and not error.code
        if not clean:
            run.tags({"error": describe(error)})
        run.close("FINISHED" if clean else "KILLED" if asked else "FAILED")
        raise
    run.close("FINISHED")


def tracking_enabled() -> bool:
    """Read METABIN_TRACKING: on (the default) or off.

    Raises: ConfigError for anything else.
    """
    value = os.environ.get("METABIN_TRACKING", "on").strip().lower()
    if value not in ("on", "off", ""):
        raise ConfigError(f"METABIN_TRACKING is {value!r}; set it to 'on' or 'off', or unset it (on)")
    return value != "off"


def _open(kind: str, name: str, tags: Mapping[str, str]) -> Run:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Run(open_in_store(kind, name, dict(tags), read_provenance()))
    except Exception as error:  # whatever it is, training goes on
        _warn(f"{kind}/{name}".rstrip("/"), error)
        return Run()


def _warn(lost: str, error: Exception) -> None:
    logger.warning(
        "%s is not recorded in MLflow: %s. The stage goes on; run it again after the repair to record it "
        "(`dvc repro --force --single-item %s`), or set METABIN_TRACKING=off.",
        lost,
        describe(error).rstrip("."),
        os.environ.get("DVC_STAGE", "STAGE"),
    )
