"""The delivery of records from their spools to MLflow, again and again until all have arrived."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metabin.errors import UserError
from metabin.tracking.failures import advise, warn
from metabin.tracking.formatting import describe
from metabin.tracking.location import locate
from metabin.tracking.provenance import project_root
from metabin.tracking.records import merge, receive
from metabin.tracking.spool import FOLDER, Spool, waiting
from metabin.tracking.store import connect
from metabin.tracking.store_runs import OpenedRun, open_child

logger = logging.getLogger("metabin.tracking")

PAUSE_SECONDS = 10.0  # between two deliveries
MAX_WAIT_SECONDS = 30.0  # of a stage for MLflow, once, at its end
NO_END = "the process ended without a word, as by `kill -9` or a power failure"


class Delivery:
    """Deliver the records of a spool. After an error the next call goes on where this one ended."""

    def __init__(self, spool: Spool, root: Path) -> None:
        self.spool = spool
        self._root = root
        self._run: OpenedRun | None = None
        self._position = 0

    def deliver(self) -> None:
        """Deliver all records that are in the spool.

        Raises:
            Exception: any error of MLflow, of its database or server.
        """
        try:
            run = self._run or self._open()
            for record, position in merge(self.spool.read(self._position)):
                self._receive(run, record)
                self.spool.save_position(run.run_id, position)
                self._position = position
        except Exception:
            self._run = None  # the store may be repaired or replaced
            raise

    def _open(self) -> OpenedRun:
        run = open_child(self._root, self.spool.opening, self.spool.name)
        self._position = self.spool.position(run.run_id)
        self._run = run
        return run

    def _receive(self, run: OpenedRun, record: Mapping[str, Any]) -> None:
        try:
            receive(run, record, self.spool.files)
        except Exception as error:
            if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                raise
            # The store works, and would refuse the record each time.
            logger.warning("MLflow refuses a record, which is left out: %s", describe(error))


class Courier:
    """Deliver the records of a training from a thread, so that the training never waits."""

    def __init__(self, spool: Spool, root: Path) -> None:
        self._spool = spool
        self._delivery = Delivery(spool, root)
        self._is_closing = threading.Event()
        self._has_warned = False
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def write(self, record: dict[str, Any]) -> None:
        """Append a record."""
        self._spool.write(record)

    def new_folder(self) -> Path:
        """Return a new folder for the files of a record."""
        return self._spool.new_folder()

    def close(self, *, is_complete: bool) -> None:
        """Wait until all records are delivered or a delivery fails, at most MAX_WAIT_SECONDS."""
        self._is_closing.set()
        self._thread.join(MAX_WAIT_SECONDS)
        if self._thread.is_alive():
            self._warn(TimeoutError(f"the records take longer than {MAX_WAIT_SECONDS:g} s"))
        elif not self._spool.is_written:
            self._warn(OSError(f"the last records do not fit on the disk, in {FOLDER}"))

    def _work(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_closing.is_set()  # before the delivery, which then has all records
            try:
                self._delivery.deliver()
                if is_last and self._spool.is_written:
                    self._spool.remove()
            except Exception as error:  # no error of tracking stops a training
                self._warn(error)
            if not is_last:
                self._is_closing.wait(PAUSE_SECONDS)
        self._spool.close()

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            warn(self._spool.opening["run_name"], error)


class Deliveries(NamedTuple):
    """The names of the runs whose records waited."""

    delivered: list[str]
    refused: list[str]  # by a store that works; the records stay


def deliver_all() -> Deliveries:
    """Deliver the waiting records of the project, see `deliver_waiting`.

    Raises:
        UserError: the store does not work.
    """
    root = project_root()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return deliver_waiting(root)
    except Exception as error:
        raise UserError(
            f"the records stay in {root / FOLDER}, since the MLflow store "
            f"{locate(root).uri} does not receive them: {describe(error)}; "
            f"{advise(error) or 'repair it, or set MLFLOW_TRACKING_URI to another store'}"
        ) from error


def deliver_waiting(root: Path) -> Deliveries:
    """Deliver the records of all runs whose process has ended.

    A run whose process was killed ends with the status KILLED. A warning says why the store
    refuses a run, and what to do.

    Raises:
        Exception: the store does not work: an error of MLflow, of its database or server. The
            records stay.
    """
    deliveries = Deliveries([], [])
    for spool in waiting(root):
        try:
            name = _deliver(spool, root)
        except Exception as error:
            connect(root)  # if the store does not work, the others need not try
            deliveries.refused.append(_name_refused(spool, error))
        else:
            spool.remove()
            if name:
                deliveries.delivered.append(name)
    return deliveries


def _deliver(spool: Spool, root: Path) -> str:
    """Deliver the records of a run, and return its name; "" if a kill cut off its first record."""
    opening = spool.opening
    if not opening:
        return ""
    if not spool.has_ended:
        end = spool.last_change
        spool.write({"tags": {"error": NO_END}})
        spool.write({"end": "KILLED", "time": end})
    Delivery(spool, root).deliver()
    return opening["run_name"]


def _name_refused(spool: Spool, error: Exception) -> str:
    """Log why the store refuses a run, and return the name of the run."""
    try:
        name = spool.opening["run_name"]
    except ValueError:  # its file is damaged
        name = spool.name
    logger.warning(
        "MLflow works, but refuses %s: %s; %s. `python -m stages.tools.deliver` tries again; "
        "to give its records up, delete %s",
        name,
        describe(error).rstrip("."),
        advise(error) or "repair what is named here",
        spool.path,
    )
    return name
