"""Run the whole pipeline, with the trainings, and then the evaluations, side by side.

DVC runs stages one after the other. They do not depend on one another, so this starts `dvc repro --single-item`
for several of them at once, then lets a plain `dvc repro` do the rest. What is up to date is left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from stages import cli

DVC = (sys.executable, "-m", "dvc")
OPTIONS = ("--wait-for-lock", "repro", "--single-item")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="stages at a time (default: cores)")
    jobs = parser.parse_args().jobs
    dvc("repro", "partition")
    stale = json.loads(dvc("status", "--json", output=subprocess.PIPE))
    for groups in (("train@", "baseline@"), ("evaluate@", "explain@")):  # MetaBIN takes twice as long: it starts first
        names = [name for group in groups for name in stale if name.startswith(group)]
        with ThreadPoolExecutor(jobs) as pool, cli.progress("side by side", len(names), "stage") as done:
            for stage in as_completed([pool.submit(reproduce, name) for name in names]):
                print(stage.result(), flush=True)
                done(1)
    dvc("repro")


def reproduce(name: str) -> str:
    """Run one stage alone and return what to print: its output if it fails, otherwise its stderr."""
    start = time.monotonic()
    done = subprocess.run([*DVC, *OPTIONS, name], capture_output=True, text=True)
    seconds = f"{time.monotonic() - start:.0f} s"
    if done.returncode:
        return f"{name} failed after {seconds}:\n{done.stdout}{done.stderr}"
    return f"{name} done in {seconds}\n{done.stderr}".rstrip()


def dvc(*arguments: str, output: int | None = None) -> str:
    """Run a DVC command; its failure ends this program with the same code."""
    done = subprocess.run([*DVC, *arguments], stdout=output, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    cli.run(main)
