"""The end of a process by a signal, in good order."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # of prctl in Linux
STARTERS = {"DVC_ROOT", "TORCHELASTIC_RUN_ID"}  # set by DVC, and by torch's agent for its ranks


def end_in_order() -> None:
    """Let SIGTERM end this process as Ctrl-C does: with its `finally` blocks, and the code 143.

    A second one ends it at once.

    A stage that DVC runs also ends when DVC does, and a rank with its agent. Otherwise they would
    go on, out of sight, and the next `dvc repro` would run the stage a second time beside them.
    """
    signal.signal(signal.SIGTERM, _exit)
    if STARTERS & os.environ.keys() and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end_at_once() -> None:
    """Let SIGTERM end this process without an exception, as while Python exits."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: object) -> NoReturn:
    end_at_once()
    sys.exit(128 + number)
