"""Standard output, which a reader may close early, as `| head` does."""

from __future__ import annotations

import os
import select
import sys

CLOSED = 141  # the exit code that a shell reports for a program whose reader has gone: 128 + SIGPIPE


def flush() -> None:
    """Write what is in the buffer, if there is a standard output.

    Raises:
        BrokenPipeError: its reader has gone.
    """
    if sys.stdout:
        sys.stdout.flush()


def is_closed() -> bool:
    """Return whether the other end is closed."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def discard() -> None:
    """Send what is in the buffer, and all that follows, nowhere: the interpreter flushes again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
