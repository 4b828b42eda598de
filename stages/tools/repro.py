"""Run the whole pipeline, with the trainings, and then the evaluations, side by side.

DVC runs stages one after the other. They do not depend on one another, so this starts `dvc repro --single-item`
for several of them at once, then lets a plain `dvc repro` do the rest. What is up to date is left alone; what another
configuration left behind is removed first (`stages.tools.clean`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from stages import cli
from stages.tools import clean

DVC = (sys.executable, "-m", "dvc")
OPTIONS = ("--wait-for-lock", "repro", "--single-item")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="stages at a time (default: cores)")
    jobs = parser.parse_args().jobs
    clean.clean()
    cli.dvc("repro", "partition")
    stale = json.loads(cli.dvc("status", "--json", capture=True))
    for groups in (("train@", "baseline@"), ("evaluate@", "explain@")):  # MetaBIN takes twice as long: it starts first
        reproduce_all([name for group in groups for name in stale if name.startswith(group)], jobs)
    cli.dvc("repro")


def reproduce_all(names: Sequence[str], jobs: int) -> None:
    """Run stages, `jobs` at a time, and print what `reproduce` returns. After Ctrl-C no further stage starts."""
    with ThreadPoolExecutor(jobs) as pool, cli.progress("side by side", len(names), "stage") as done:
        try:
            for stage in as_completed([pool.submit(reproduce, name) for name in names]):
                print(stage.result(), flush=True)
                done(1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def reproduce(name: str) -> str:
    """Run one stage alone and return what to print: its output if it fails, otherwise its stderr."""
    start = time.monotonic()
    done = subprocess.run([*DVC, *OPTIONS, name], capture_output=True, text=True)
    seconds = f"{time.monotonic() - start:.0f} s"
    if done.returncode:
        return f"{name} failed after {seconds}:\n{done.stdout}{done.stderr}"
    return f"{name} done in {seconds}\n{done.stderr}".rstrip()


if __name__ == "__main__":
    cli.run(main)
