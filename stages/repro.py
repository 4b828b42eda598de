"""Run the whole pipeline, with the trainings side by side.

DVC runs stages one after the other. Trainings do not depend on one another, so this starts `dvc repro --single-item`
for several of them at once, then lets a plain `dvc repro` do the rest. What is up to date is left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from stages import cli

DVC = [sys.executable, "-m", "dvc"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="trainings at a time (default: cores)")
    jobs = parser.parse_args().jobs

    subprocess.run([*DVC, "repro", "partition"], check=True)
    stale = json.loads(subprocess.run([*DVC, "status", "--json"], check=True, capture_output=True, text=True).stdout)
    trainings = [name for name in stale if name.startswith(("train@", "baseline@"))]
    trainings.sort(key=lambda name: name.startswith("baseline@"))  # the long ones first
    failed = []
    with ThreadPoolExecutor(jobs) as pool, cli.progress("train", len(trainings), "model") as done:
        for name, code in pool.map(reproduce, trainings):
            done(1)
            if code:
                failed.append(name)
    if failed:
        sys.exit(f"error: {', '.join(failed)} failed; see above, mend it and run this again: the others are kept")
    subprocess.run([*DVC, "repro"], check=True)


def reproduce(name: str) -> tuple[str, int]:
    start = time.monotonic()
    done = subprocess.run([*DVC, "--wait-for-lock", "repro", "--single-item", "--quiet", name])
    print(f"{name}: {'failed' if done.returncode else 'done'} after {time.monotonic() - start:.0f} s", flush=True)
    return name, done.returncode


if __name__ == "__main__":
    cli.run(main)
