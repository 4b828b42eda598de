"""Run the whole pipeline, with its trainings and evaluations side by side.

DVC runs stages one after the other. The trainings do not depend on one another, and the evaluations
only on the trainings of their fold, so several `dvc repro --single-item` run at once; a plain
`dvc repro` then runs the other stages. Stages that are up to date are skipped. What other
configurations left behind is removed first: see `stages.tools.remove_leftovers`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from queue import SimpleQueue

from stages import cli, layout
from stages.fork_server import fork_server
from stages.live_view import LiveView
from stages.stage_times import StageTimes, duration
from stages.tools import remove_leftovers
from stages.tools.gpus import job_environments

DVC = (sys.executable, "-m", "dvc")
OPTIONS = ("--wait-for-lock", "repro", "--single-item")
# Prefixes of the stages that run side by side, in this order. The longest trainings come first: one
# in episodes takes twice as long as a baseline. No evaluation reads a final model.
FINAL_TRAININGS = ("final@",)
TRAININGS = ("train@", "baseline@")
EVALUATIONS = ("evaluate@", "rho-probe@")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        help="trainings at a time (default: one per GPU, or without a GPU one per core)",
    )
    jobs = parser.parse_args().jobs

    from metabin.config import load_config

    start = time.monotonic()
    config = load_config()
    remove_leftovers.remove_leftovers()
    # All trainings read the folds that partition writes, so it runs first and alone.
    cli.dvc("repro", "partition")
    stale = json.loads(cli.dvc("status", "--json", capture=True))
    prefixes = (*FINAL_TRAININGS, *TRAININGS, *EVALUATIONS)
    names = [name for prefix in prefixes for name in stale if name.startswith(prefix)]
    if names:
        slots = job_environments(config.compute.device, jobs)
        view = LiveView(names, len(slots), StageTimes(config, len(slots)))
        title = f"{len(names)} trainings and evaluations, {len(slots)} at a time"
        print(f"== {title}{view.estimate()}", flush=True)
        with fork_server(), view.shown() as environment:
            reproduce_all(names, [slot | environment for slot in slots], view)
    # What is left, as the report; a stage that failed above fails here again and ends the run.
    cli.dvc("repro")
    print(f"== {conclusion()} Took {duration(time.monotonic() - start)}.")


def conclusion() -> str:
    """Return what was best, and where to look."""
    from metabin.report.style import styles_for

    summary = json.loads((layout.REPORTS / "summary.json").read_text())
    unseen = {
        name: values["unseen"]["mAP"] for name, values in summary.items() if "unseen" in values
    }
    ranked = sorted((name for name in unseen if unseen[name] is not None), key=unseen.__getitem__)
    styles = styles_for(ranked)
    means = ", ".join(f"{styles[name].label} {100 * unseen[name]:.1f}" for name in ranked[::-1])
    return (
        f"Unseen mAP in percent: {means}. "
        f"Report: {layout.REPORTS / 'index.html'}; all runs: `make ui`."
    )


def reproduce_all(names: Sequence[str], slots: Sequence[Mapping[str, str]], view: LiveView) -> None:
    """Run stages, as many at a time as there are slots, and print the result of each.

    An evaluation waits for the trainings of its fold. After Ctrl-C no further stage starts.

    Args:
        names: of the stages; evaluations after trainings, so that a waiting one blocks no training.
        slots: the additions to the environment of each.
        view: is told of every start and end.
    """
    available: SimpleQueue[Mapping[str, str]] = SimpleQueue()
    for slot in slots:
        available.put(slot)

    def run(name: str, earlier: Sequence[Future[None]]) -> None:
        wait(earlier)
        slot = available.get()
        try:
            view.begin(name)
            succeeded, text = reproduce(name, slot)
            view.end(name, text, succeeded=succeeded)
        finally:
            available.put(slot)

    with ThreadPoolExecutor(len(slots)) as pool:
        stages: dict[str, Future[None]] = {}
        for name in names:
            stages[name] = pool.submit(run, name, [stages[other] for other in needed(name, stages)])
        try:
            for stage in as_completed(stages.values()):
                stage.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def needed(name: str, others: Iterable[str]) -> list[str]:
    """Return the trainings among other stages that an evaluation reads; [] for a training."""
    if not name.startswith(EVALUATIONS):
        return []
    _, _, fold = name.partition("@")
    beginnings = tuple(f"{prefix}{fold}-" for prefix in TRAININGS)
    return [other for other in others if other.startswith(beginnings)]


def reproduce(name: str, environment: Mapping[str, str]) -> tuple[bool, str]:
    """Run one stage alone. Return whether it succeeded, and a text.

    The text is its output if it fails, otherwise its stderr.
    """
    start = time.monotonic()
    process = subprocess.run(
        [*DVC, *OPTIONS, name], env=os.environ | environment, capture_output=True, text=True
    )
    seconds = f"{time.monotonic() - start:.0f} s"
    if process.returncode:
        return False, f"{name} failed after {seconds}\n{process.stdout}{process.stderr}"
    return True, f"{name} done in {seconds}\n{process.stderr}".rstrip()


if __name__ == "__main__":
    cli.run(main)
