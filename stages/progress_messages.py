"""Messages about the progress of a stage to the program that runs several stages."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from metabin.progress import Advance, progress

ADDRESS = "METABIN_PROGRESS"  # the environment variable with the path of the receiver's socket
SECONDS = 0.5  # between two messages


@dataclass(frozen=True, slots=True)
class Message:
    """The progress of a stage.

    Args:
        stage: its name in DVC, e.g. "train@campus-metabin-0".
        done, total, unit: e.g. 45 of 180 steps.
        text: more, e.g. the losses.
    """

    stage: str
    done: int
    total: int
    unit: str
    text: str


@contextmanager
def reported_progress(title: str, total: int, unit: str) -> Iterator[Advance]:
    """As `metabin.progress.progress`; sends messages as well, if a program receives them."""
    with progress(title, total, unit) as advance_here:
        done = 0
        sent = 0.0

        def advance(count: int, text: str = "") -> None:
            nonlocal done, sent
            advance_here(count, text)
            done += count
            if done == total or time.monotonic() - sent > SECONDS:
                sent = time.monotonic()
                send(Message(os.environ.get("DVC_STAGE", title), done, total, unit, text))

        yield advance


def send(message: Message) -> None:
    """Send a message to the program that runs several stages, if there is one."""
    address = os.environ.get(ADDRESS)
    if not address:
        return
    # No stage waits for the receiver or fails without it: progress is for people.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(json.dumps(asdict(message)).encode(), address)


def receive(channel: socket.socket) -> Message:
    """Wait for the next message, and return it.

    Raises:
        TimeoutError: none came within the time of the socket.
    """
    return Message(**json.loads(channel.recv(65536)))
