"""What `make repro` shows of the stages that run side by side: a table, or lines in a log."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stages.progress_messages import ADDRESS, Message, receive
from stages.stage_times import StageTimes, duration, remaining

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


class LiveView:
    """The stages that run, have ended and wait.

    Args:
        names: of all stages.
        jobs: number of stages at a time.
        times: estimates.
    """

    def __init__(self, names: Sequence[str], jobs: int, times: StageTimes) -> None:
        self._names = list(names)
        self._jobs = jobs
        self._times = times
        self._start = time.monotonic()
        self._started: dict[str, float] = {}
        self._ended: set[str] = set()
        self._messages: dict[str, list[tuple[float, Message]]] = {}  # the first and the last
        self._lock = threading.Lock()
        self._live: Live | None = None  # on a terminal

    def begin(self, name: str) -> None:
        """Note that a stage starts."""
        with self._lock:
            self._started[name] = time.monotonic()

    def end(self, name: str, text: str, *, succeeded: bool) -> None:
        """Note that a stage has ended, and print its text."""
        with self._lock:
            seconds = time.monotonic() - self._started[name]
            self._ended.add(name)
            if succeeded:
                self._times.remember(name, seconds)
            head, _, rest = text.partition("\n")
            line = f"{head} ({len(self._ended)} of {len(self._names)}{self._left()})\n{rest}"
        self._print(line.rstrip())

    def estimate(self) -> str:
        """Return the time that all stages will take, as text; "" if it is not known."""
        expected = {name: self._times.expected(name) for name in self._names}
        seconds = remaining(expected, {}, self._jobs)
        return "" if seconds is None else f", about {duration(seconds)}"

    def table(self) -> Table:
        """Return one row for each running stage: progress, rate, time left and losses."""
        from rich.table import Table

        with self._lock:
            elapsed = duration(time.monotonic() - self._start)
            title = f"{len(self._ended)} of {len(self._names)} done, {elapsed}{self._left()}"
            table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=True)
            for heading in ("stage", "progress", "rate", "left"):
                table.add_column(heading, no_wrap=True)
            table.add_column("", no_wrap=True, ratio=1)  # what is left of the width
            for name in self._running():
                table.add_row(*self._row(name))
            return table

    @contextmanager
    def shown(self) -> Iterator[dict[str, str]]:
        """Show the view until the block ends; yield what the stages' environment needs for it."""
        with tempfile.TemporaryDirectory(prefix="metabin-") as folder:
            address = str(Path(folder) / "progress")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, self._on_terminal():
                channel.bind(address)
                channel.settimeout(0.2)
                stopped = threading.Event()
                thread = threading.Thread(
                    target=self._receive, args=(channel, stopped), daemon=True
                )
                thread.start()
                try:
                    yield {ADDRESS: address}
                finally:
                    stopped.set()
                    thread.join()
                    self._times.save()

    @contextmanager
    def _on_terminal(self) -> Iterator[None]:
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        with Live(console=console, get_renderable=self.table, refresh_per_second=2) as self._live:
            yield
        self._live = None

    def _receive(self, channel: socket.socket, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                message = receive(channel)
            except (TimeoutError, ValueError, TypeError):  # nothing, or from another program
                continue
            with self._lock:
                now = (time.monotonic(), message)
                first = self._messages.get(message.stage, [now])[0]
                self._messages[message.stage] = [first, now]

    def _print(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            print(text, flush=True)

    def _running(self) -> list[str]:
        return [name for name in self._started if name not in self._ended]

    def _left(self) -> str:
        expected = {
            name: self._times.expected(name) for name in self._names if name not in self._ended
        }
        running = {name: time.monotonic() - self._started[name] for name in self._running()}
        seconds = remaining(expected, running, self._jobs)
        return "" if seconds is None or not expected else f", about {duration(seconds)} left"

    def _row(self, name: str) -> tuple[str, ...]:
        if name not in self._messages:
            return (name, "starting", "", "", "")
        (first_time, first), (last_time, last) = self._messages[name]
        done = f"{last.done} of {last.total} {last.unit}s"
        if last.done == first.done:
            return (name, done, "", "", last.text)
        rate = (last.done - first.done) / (last_time - first_time)
        left = duration((last.total - last.done) / rate)
        return (name, done, f"{rate:.1f} {last.unit}s/s", left, last.text)
