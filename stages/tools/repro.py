"""Run the whole pipeline, with the trainings, and then the evaluations, side by side.

DVC runs stages one after the other. The trainings do not depend on one another, nor do the
evaluations, so several `dvc repro --single-item` run at once; a plain `dvc repro` then runs the
other stages. Stages that are up to date are skipped. What other configurations left behind is
removed first: see `stages.tools.remove_leftovers`.
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
from stages.tools import remove_leftovers

DVC = (sys.executable, "-m", "dvc")
OPTIONS = ("--wait-for-lock", "repro", "--single-item")
# Prefixes of the stages that run side by side, one group after the other. Within a group the
# longest stages come first: a training in episodes takes twice as long as a baseline.
GROUPS = (("train@", "baseline@"), ("evaluate@", "rho-probe@"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count(), help="stages at a time (default: cores)"
    )
    jobs = parser.parse_args().jobs
    remove_leftovers.remove_leftovers()
    # All trainings read the folds that partition writes, so it runs first and alone.
    cli.dvc("repro", "partition")
    stale = json.loads(cli.dvc("status", "--json", capture=True))
    for prefixes in GROUPS:
        names = [name for prefix in prefixes for name in stale if name.startswith(prefix)]
        reproduce_all(names, jobs)
    # What is left, as the report; a stage that failed above fails here again and ends the run.
    cli.dvc("repro")


def reproduce_all(names: Sequence[str], jobs: int) -> None:
    """Run stages, `jobs` at a time, and print what `reproduce` returns.

    After Ctrl-C no further stage starts.
    """
    with (
        ThreadPoolExecutor(jobs) as pool,
        cli.progress("side by side", len(names), "stage") as advance,
    ):
        try:
            for stage in as_completed([pool.submit(reproduce, name) for name in names]):
                print(stage.result(), flush=True)
                advance(1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def reproduce(name: str) -> str:
    """Run one stage alone and return its output if it fails, otherwise its stderr."""
    start = time.monotonic()
    process = subprocess.run([*DVC, *OPTIONS, name], capture_output=True, text=True)
    seconds = f"{time.monotonic() - start:.0f} s"
    if process.returncode:
        return f"{name} failed after {seconds}:\n{process.stdout}{process.stderr}"
    return f"{name} done in {seconds}\n{process.stderr}".rstrip()


if __name__ == "__main__":
    cli.run(main)
