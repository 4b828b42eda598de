"""How ours is measured against what a user would run instead: in turns, on one thread, in processor seconds.

A ratio is the median over pairs that ran one after the other, so that a busy machine slows both. Peak memory is
measured in a process of its own for each side, from what it held before (Linux alone tells).
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

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
    """Of this process, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peaks(what: str, against: str, module: str, ours: str, other: str, *, goal: float | None = None) -> Row:
    """Peak memory of two functions of a module: each is called, in a new process, to prepare and return the work."""
    mine, its = (peak_in_new_process(module, name) for name in (ours, other))
    return Row(what, against, mine / 1e9, its / 1e9, "GB", its / mine, goal)


def peak_in_new_process(module: str, name: str) -> int:
    command = [sys.executable, "-m", "benchmarks.pairs", module, name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    return int(done.stdout.split()[-1])


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory held during the work, less what was held before it."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def main(rows: Callable[[], Iterable[Row]]) -> None:
    """The command line of a benchmark: prints its rows, one JSON object a line."""
    for row in rows():
        print(json.dumps(asdict(row)), flush=True)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Peak memory of one function of a benchmark.")
    parser.add_argument("module")
    parser.add_argument("name")
    args = parser.parse_args()
    print(peak_bytes(getattr(importlib.import_module(args.module), args.name)()))
