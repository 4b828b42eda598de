"""Standard output whose reader may close it early, as `| head` does."""

from __future__ import annotations

import os
import select
import sys

# The exit code that a shell reports for a program that wrote to a closed pipe: 128 + SIGPIPE.
CLOSED = 141


def flush() -> None:
    """Write the content of the buffer, if there is a standard output.

    Raises:
        BrokenPipeError: the reader has closed it.
    """
    if sys.stdout:
        sys.stdout.flush()


def is_closed() -> bool:
    """Return whether the reader has closed standard output."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def discard() -> None:
    """Redirect standard output to the null device.

    The interpreter flushes the buffer again at its end, which would raise another error.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
