"""The end of a process by a signal, in good order."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import psutil

STARTERS = {"DVC_ROOT", "TORCHELASTIC_RUN_ID"}  # set by DVC, and by torch's agent for its ranks


def end_in_order() -> None:
    """Let SIGTERM end this process as Ctrl-C does: with its `finally` blocks, and the code 143.

    A second one ends it at once.

    A stage that DVC runs also ends when DVC does, and a rank with its agent. Otherwise they would
    go on, out of sight, and the next `dvc repro` would run the stage a second time beside them.
    """
    signal.signal(signal.SIGTERM, _exit)
    if STARTERS & os.environ.keys() and os.name == "posix":
        threading.Thread(
            target=_end_with, args=(_starter(), threading.get_ident()), daemon=True
        ).start()


def end_at_once() -> None:
    """Let SIGTERM end this process without an exception, as while Python exits."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _starter() -> psutil.Process | None:
    """Return the process that runs this one, not the shell between the two.

    DVC runs a stage in $SHELL, or else in sh. Some shells replace themselves by their last
    command; others, such as Debian's sh, go on beside it.
    """
    import psutil  # here, since most commands have no starter

    parent = psutil.Process().parent()
    shell = Path(os.environ.get("SHELL") or "/bin/sh").name
    return parent.parent() if parent and parent.name() == shell else parent


def _end_with(starter: psutil.Process | None, thread: int) -> None:
    while starter and _goes_on(starter):
        time.sleep(0.5)
    if starter:
        signal.pthread_kill(thread, signal.SIGTERM)


def _goes_on(process: psutil.Process) -> bool:
    import psutil

    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _exit(number: int, frame: object) -> NoReturn:
    end_at_once()
    sys.exit(128 + number)
