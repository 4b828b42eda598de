"""Open a run of the present DVC experiment, and close it with the outcome of the work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from metabin.errors import ConfigError
from metabin.tracking.delivery import Courier, deliver_waiting
from metabin.tracking.failures import warn
from metabin.tracking.formatting import describe
from metabin.tracking.provenance import Provenance, read_provenance
from metabin.tracking.run import DirectDestination, Run
from metabin.tracking.spool import Spool
from metabin.tracking.store import import_mlflow
from metabin.tracking.store_runs import describe_run, open_parent
from metabin.tracking.unrecorded import note_unrecorded

LIBRARIES = r"(mlflow|sqlalchemy|alembic)\b"  # a stage cannot act on their warnings
SIGNALS = 128  # a process that signal n ended has the exit code 128 + n


@contextmanager
def open_run(
    kind: Literal["parent", "train"],
    title: str = "",
    *,
    name: str = "",
    tags: Mapping[str, str] | None = None,
    is_live: bool = True,
    source: Provenance | None = None,
) -> Iterator[Run]:
    """Open a run of this DVC experiment, and close it with the outcome of the `with` block.

    A parent is the run of the experiment, which is reopened if it exists. It is written to the
    store at once. If that fails, `unrecorded` names it.

    A training is a new child of the parent; an earlier child of the same title is tagged
    superseded=true. It is written to a spool: see `metabin.tracking.spool`.

    Args:
        title: identifies a child, e.g. "grid/metabin/seed-0".
        name: of a child, for people; the title by default. A parent is named after the DVC
            experiment and the parameters that it changed.
        tags: more tags for a child.
        is_live: whether the training takes place now. Then its records are delivered meanwhile, and
            the use of the machine is sampled. Otherwise `deliver_waiting` delivers them.
        source: of the run, if another process made what it records; this one's by default.

    Raises:
        ConfigError: METABIN_TRACKING is neither on nor off.
        BaseException: any error of the block.
    """
    run = Run()
    if tracking_enabled():
        # For the thread that delivers. `catch_warnings` would change the filters of all threads.
        warnings.filterwarnings("ignore", module=LIBRARIES)
        run = _open(kind, title, name, tags or {}, source, is_live=is_live)
    try:
        yield run
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            run.close("FINISHED")
            raise
        run.tags({"error": describe(error)})
        run.close("KILLED" if _is_kill(error) else "FAILED")
        raise
    run.close("FINISHED")


def _is_kill(error: BaseException) -> bool:
    """Return whether a signal ended the work: Ctrl-C, or the exit code of a signal."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > SIGNALS
    )


def tracking_enabled() -> bool:
    """Read METABIN_TRACKING: on (the default) or off.

    Raises:
        ConfigError: the variable has another value.
    """
    value = os.environ.get("METABIN_TRACKING", "on").strip().lower()
    if value not in ("on", "off", ""):
        raise ConfigError(
            f"METABIN_TRACKING is {value!r}; set it to 'on' or 'off', or unset it (on)"
        )
    return value != "off"


def _open(
    kind: str,
    title: str,
    name: str,
    tags: Mapping[str, str],
    source: Provenance | None,
    *,
    is_live: bool,
) -> Run:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = source or read_provenance()
            import_mlflow()
            if kind == "parent":
                return _open_parent(source)
            return _open_training(title, name, tags, source, is_live=is_live)
    except Exception as error:  # no error of tracking stops a training
        warn(f"{kind}/{title}".rstrip("/"), error)
        return Run()


def _open_parent(source: Provenance) -> Run:
    note_unrecorded(source)  # until all is recorded
    deliver_waiting(source.root)
    opened = open_parent(source)
    return Run(str(opened.entity.info.run_name), DirectDestination(opened, source), source.changes)


def _open_training(
    title: str, name: str, tags: Mapping[str, str], source: Provenance, *, is_live: bool
) -> Run:
    full_name = f"{name or title}{source.suffix}"
    parent = describe_run("parent", source.parent_name, source, {})
    child = describe_run("train", full_name, source, {**tags, "title": title})
    spool = Spool.create(source.root, {**child, "parent": parent})
    destination = Courier(spool, source.root) if is_live else spool
    return Run(full_name, destination, source.changes, system_metrics=is_live)
