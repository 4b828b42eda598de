"""Comparison of our code with a common alternative, in processor seconds on one thread.

Both sides run in turns. A ratio is the median over pairs of runs, one after the other, so that a
busy machine slows both. Peak memory is the increase during the work; only Linux reports it.
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stages import cli

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    against: str
    ours: float
    other: float
    unit: str
    ratio: float  # how many times better ours is than the other
    goal: float | None = None  # the smallest ratio that is good enough


def compare(
    what: str,
    against: str,
    ours: Callable[[], object],
    other: Callable[[], object],
    *,
    repeats: int = 5,
    goal: float | None = None,
) -> Row:
    """Compare the median processor seconds of two functions.

    They run in turns: once to warm up, then `repeats` times.
    """
    pairs = [(processor_seconds(ours), processor_seconds(other)) for _ in range(repeats + 1)]
    return _seconds_row(what, against, pairs[1:], goal)


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds of the work, over all threads and finished child processes."""
    start = _processor_seconds()
    work()
    return _processor_seconds() - start


def compare_processes(
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
    """Compare the median processor seconds and the peak memory of two functions, each in a process.

    Args:
        module: has both functions.
        ours, other: "name" or "name:argument" of a function that prepares and returns the work.
        warm_ups: runs that do not count: a process holds all its memory only after some runs.

    Returns:
        The row of the time and the row of the memory.
    """
    with Worker(module, ours) as our_worker, Worker(module, other) as other_worker:
        pairs = [(our_worker.run(), other_worker.run()) for _ in range(warm_ups + repeats)]
    seconds = [(a.seconds, b.seconds) for a, b in pairs[warm_ups:]]
    our_peak = max(a.peak for a, _ in pairs) / 1e9
    other_peak = max(b.peak for _, b in pairs) / 1e9
    return (
        _seconds_row(what, against, seconds, goal),
        Row(
            f"{what}: peak memory",
            against,
            our_peak,
            other_peak,
            "GB",
            other_peak / our_peak,
            memory_goal,
        ),
    )


class Measurement(NamedTuple):
    """One run of a worker."""

    seconds: float  # of the processor
    peak: int  # bytes, above those held before the first run


class Worker:
    """A process that does its work once per call of `run`."""

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

    def run(self) -> Measurement:
        """Do the work once."""
        assert self.process.stdin and self.process.stdout
        print(file=self.process.stdin, flush=True)  # an empty line starts a run, see `serve`
        return Measurement(*json.loads(self.process.stdout.readline()))


def serve(work: Callable[[], object]) -> None:
    """Do the work for every line of standard input, and print its measurement.

    This is the process of a `Worker`.
    """
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present memory
    before = status("VmRSS")
    for _ in sys.stdin:
        seconds = processor_seconds(work)
        print(json.dumps([seconds, status("VmHWM") - before]), flush=True)


def main(rows: Callable[[], Iterable[Any]]) -> None:
    """Run the command line of a benchmark: print its rows, one JSON object per line.

    Rows are dataclasses, mostly `Row`.
    """

    def print_rows() -> None:
        for row in rows():
            print(json.dumps(asdict(row)), flush=True)

    cli.run(print_rows)


def _seconds_row(
    what: str, against: str, pairs: Sequence[tuple[float, float]], goal: float | None
) -> Row:
    ours = statistics.median(a for a, _ in pairs)
    other = statistics.median(b for _, b in pairs)
    # The median of the ratios, not the ratio of the medians: a busy machine slows both of a pair.
    ratio = statistics.median(b / a for a, b in pairs)
    return Row(what, against, ours, other, "s", ratio, goal)


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def status(field: str, process: int | str = "self") -> int:
    """Return a field of a process's status in bytes; the system reports kilobytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="The process of one side of a comparison; see Worker."
    )
    parser.add_argument("module")
    parser.add_argument("name")
    args = parser.parse_args()
    name, *arguments = args.name.split(":")
    serve(getattr(importlib.import_module(args.module), name)(*arguments))
