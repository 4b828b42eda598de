"""How ours is measured against what a user would run instead: in turns, on one thread, in processor seconds.

A ratio is the median over pairs that ran one after the other, so that a busy machine slows both. Peak memory is counted
from what a process held before (Linux alone tells).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from stages import cli

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `ratio` says how many times better ours is than the other, `goal` what was aimed at."""

    what: str
    against: str
    ours: float
    other: float
    unit: str
    ratio: float
    goal: float | None = None


def seconds(
    what: str,
    against: str,
    ours: Callable[[], object],
    other: Callable[[], object],
    *,
    repeats: int = 5,
    goal: float | None = None,
) -> Row:
    """Both in turns, once to warm up and then `repeats` times; medians of their processor seconds."""
    pairs = [(processor_seconds(ours), processor_seconds(other)) for _ in range(repeats + 1)][1:]
    mine, its = zip(*pairs, strict=True)
    ratio = statistics.median(b / a for a, b in pairs)
    return Row(what, against, statistics.median(mine), statistics.median(its), "s", ratio, goal)


def processor_seconds(work: Callable[[], object]) -> float:
    """Of this process, all threads together, and of processes that it started and waited for."""
    start = _processor_seconds()
    work()
    return _processor_seconds() - start


def apart(
    what: str,
    against: str,
    module: str,
    ours: str,
    other: str,
    *,
    warm_ups: int = 3,
    repeats: int = 3,
    goal: float | None = None,
    memory_goal: float | None = None,
) -> tuple[Row, Row]:
    """As `seconds`, with each side in a process of its own, whose peak memory is the second row.

    Args:
        warm_ups: before they count; a process holds the memory that it will use only after some.
        ours, other: "name" or "name:argument", a function of the module that prepares and returns the work.
    """
    with Worker(module, ours) as mine, Worker(module, other) as its:
        pairs = [(mine.run(), its.run()) for _ in range(warm_ups + repeats)]
    times = [[seconds for seconds, _ in side] for side in zip(*pairs[warm_ups:], strict=True)]
    peaks = [max(peak for _, peak in side) / 1e9 for side in zip(*pairs, strict=True)]
    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
    return (
        Row(what, against, statistics.median(times[0]), statistics.median(times[1]), "s", ratio, goal),
        Row(f"{what}: peak memory", against, peaks[0], peaks[1], "GB", peaks[1] / peaks[0], memory_goal),
    )


class Worker:
    """A process that does its work once whenever it is told to."""

    def __init__(self, module: str, name: str) -> None:
        command = [sys.executable, "-m", "benchmarks.pairs", module, name]
        environment = os.environ | ONE_THREAD
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def run(self) -> tuple[float, int]:
        """Processor seconds of the work, and the most bytes held since it was prepared, less those held then."""
        assert self.process.stdin and self.process.stdout
        print(file=self.process.stdin, flush=True)
        seconds, peak = json.loads(self.process.stdout.readline())
        return seconds, peak


def serve(work: Callable[[], object]) -> None:
    """The other end of `Worker`."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = _status("VmRSS")
    for _ in sys.stdin:
        print(json.dumps([processor_seconds(work), _status("VmHWM") - before]), flush=True)


def main(rows: Callable[[], Iterable[Row]]) -> None:
    """Print the rows of a benchmark, one JSON object per line; the command line of its module."""

    def print_rows() -> None:
        for row in rows():
            print(json.dumps(asdict(row)), flush=True)

    cli.run(print_rows)


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The process of one side; see Worker.")
    parser.add_argument("module")
    parser.add_argument("name")
    args = parser.parse_args()
    name, *arguments = args.name.split(":")
    serve(getattr(importlib.import_module(args.module), name)(*arguments))
