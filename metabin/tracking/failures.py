"""Errors of tracking as warnings: no error of MLflow stops a stage."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from metabin.tracking.formatting import describe

if TYPE_CHECKING:
    from metabin.tracking.run import Run

P = ParamSpec("P")
logger = logging.getLogger("metabin.tracking")


def warn_on_error(
    method: Callable[Concatenate[Run, P], None],
) -> Callable[Concatenate[Run, P], None]:
    """Make a method of `Run` log its error as a warning instead of raising it.

    After an error, and if tracking is off, the method does nothing.
    """

    @functools.wraps(method)
    def call(self: Run, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self._opened is None or self._failed:
            return
        try:
            with warnings.catch_warnings():  # of MLflow and pandas, which a stage cannot act on
                warnings.simplefilter("ignore")
                method(self, *args, **kwargs)
        except Exception as error:  # no error of tracking stops a training
            self._failed = True
            warn(f"the rest of {self.opened.entity.info.run_name}", error)

    return call


def warn(record: str, error: Exception) -> None:
    """Log that a record is missing, why, and what to do."""
    logger.warning(
        "%s is not recorded in MLflow: %s. The stage continues; after the repair, `python -m "
        "stages.tools.record` records finished results from their files, or set "
        "METABIN_TRACKING=off.",
        record,
        describe(error).rstrip("."),
    )
