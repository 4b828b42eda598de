"""Open a run of the present DVC experiment, and close it with the outcome of the work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from metabin.errors import ConfigError
from metabin.tracking.failures import warn
from metabin.tracking.formatting import describe
from metabin.tracking.provenance import read_provenance
from metabin.tracking.run import Run
from metabin.tracking.store import open_in_store

SIGNALS = 128  # a process that signal n ended has the exit code 128 + n


@contextmanager
def open_run(
    kind: Literal["parent", "train"],
    title: str = "",
    *,
    name: str = "",
    tags: Mapping[str, str] | None = None,
    system_metrics: bool = False,
) -> Iterator[Run]:
    """Open a run of this DVC experiment, and close it with the outcome of the `with` block.

    Args:
        kind: "parent" opens the run of the experiment, and reopens it if it exists. "train" opens a
            new child of it, and tags an earlier child of the same title superseded=true.
        title: identifies a child, e.g. "grid/metabin/seed-0".
        name: of a child, for people; the title by default. A parent is named after the DVC
            experiment and the parameters that it changed.
        tags: more tags for the run.
        system_metrics: whether to sample the use of the machine until the run ends.

    Raises:
        ConfigError: METABIN_TRACKING is neither on nor off.
        BaseException: any error of the block.
    """
    run = Run()
    if tracking_enabled():
        run = _open(kind, title, name, tags or {}, system_metrics=system_metrics)
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
    kind: str, title: str, name: str, tags: Mapping[str, str], *, system_metrics: bool
) -> Run:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = read_provenance()
            opened = open_in_store(kind, title, name, dict(tags), source)
            return Run(opened, source.changes, system_metrics=system_metrics)
    except Exception as error:  # no error of tracking stops a training
        warn(f"{kind}/{title}".rstrip("/"), error)
        return Run()
