"""Locks between processes, whose files name the holder."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metabin.errors import UserError

PATIENCE = 10.0  # seconds: a process that was killed takes some to end
logger = logging.getLogger("metabin.locks")


@contextmanager
def hold(path: Path, activity: str, *, waits: bool = False) -> Iterator[None]:
    """Hold a lock until the block ends, or the process, by whatever cause.

    Args:
        path: of the file, which names the process that holds the lock.
        activity: of the holder, for the message: "trains campus/bn/seed-0".
        waits: wait for another holder, with one message, and do not refuse.
    Raises:
        UserError: another process holds the lock.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        message = busy(path.read_text(), activity)
        if not waits:
            raise UserError(message) from None
        logger.warning("%s. This process waits", message)
        lock.acquire()
    try:
        path.write_text(f"{os.getpid()} on {platform.node()}")
        yield
    finally:
        lock.release()


def busy(process: str, activity: str) -> str:
    """Return the message about a process that does already what this one should do.

    Args:
        process: "PID on HOST" or "PID (COMMAND)"; "" if it is not known.
    """
    if not process:
        return f"another process {activity} already; wait until it has ended"
    pid = process.partition(" ")[0]
    end = f"end it with `kill {pid}`"
    return f"process {process} {activity} already; wait until it has ended, or {end}"
