"""Errors of tracking as warnings: no error of MLflow stops a stage."""

from __future__ import annotations

import functools
import logging
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from metabin.tracking.formatting import describe

if TYPE_CHECKING:
    from metabin.tracking.run import Run

P = ParamSpec("P")
logger = logging.getLogger("metabin.tracking")

# The status of a reply in the messages of MLflow and requests, which have it in different forms.
STATUS = re.compile(r"error code (\d{3})|too many (\d{3}) error|(\d{3}) (?:Client|Server) Error")
LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a login of this MLflow server"
PERMISSION = (
    "ask the server's administrator for the permission EDIT on the experiment, or, if the reply "
    "is about the host, to list its address in --allowed-hosts"
)
SERVER = (
    "the server's log has the reason; if its files fail, check the bucket of "
    "--artifacts-destination and the server's keys for it"
)
ADVICE = {"401": LOGIN, "403": PERMISSION, "500": SERVER, "503": SERVER}


def warn_on_error(
    method: Callable[Concatenate[Run, P], None],
) -> Callable[Concatenate[Run, P], None]:
    """Make a method of `Run` log its error as a warning instead of raising it.

    If the run does not record, the method does nothing.
    """

    @functools.wraps(method)
    def call(self: Run, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.is_open:
            return
        try:
            with warnings.catch_warnings():  # of MLflow and pandas, which a stage cannot act on
                warnings.simplefilter("ignore")
                method(self, *args, **kwargs)
        except Exception as error:  # no error of tracking stops a training
            self.report(error)

    return call


def warn(record: str, error: Exception) -> None:
    """Log that a record is missing, why, and what to do."""
    advice = advise(error)
    logger.warning(
        "%s is not recorded in MLflow: %s%s. The stage continues, and no record is lost: after the "
        "repair, `python -m stages.tools.deliver` delivers what the stage could not, or set "
        "METABIN_TRACKING=off.",
        record,
        describe(error).rstrip("."),
        f"; {advice}" if advice else "",
    )


def advise(error: Exception) -> str:
    """Return what to do about the reply of an MLflow server; "" for other errors."""
    status = STATUS.search(str(error))
    return ADVICE.get(next(filter(None, status.groups())), "") if status else ""
