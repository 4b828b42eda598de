"""Run stages of dvc.yaml side by side, each by a `dvc repro --single-item` of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from queue import SimpleQueue
from typing import Protocol

DVC = (sys.executable, "-m", "dvc")
OPTIONS = ("--wait-for-lock", "repro", "--single-item")
# Prefixes of the stages that run side by side. No evaluation reads a final model.
FINAL_TRAININGS = ("final@",)
TRAININGS = ("train@", "baseline@")
EVALUATIONS = ("evaluate@", "rho-probe@")
RUNNING: set[subprocess.Popen[str]] = set()


class View(Protocol):
    """What shows the stages to the user."""

    def begin(self, name: str) -> None:
        """Note that a stage starts."""

    def end(self, name: str, text: str, *, succeeded: bool) -> None:
        """Note that a stage has ended, with its text."""


def reproduce_all(
    names: Sequence[str],
    slots: Sequence[Mapping[str, str]],
    view: View,
    *,
    pull: bool = False,
) -> None:
    """Run stages, as many at a time as there are slots, and print the result of each.

    An evaluation waits for the trainings of its fold. After Ctrl-C no further stage starts.

    Args:
        names: of the stages; evaluations after trainings, so that a waiting one blocks no training.
        slots: the additions to the environment of each.
        view: is told of every start and end.
        pull: restore results from the remote where they are there.
    """
    available: SimpleQueue[Mapping[str, str]] = SimpleQueue()
    for slot in slots:
        available.put(slot)

    def run(name: str, earlier: Sequence[Future[None]]) -> None:
        wait(earlier)
        slot = available.get()
        try:
            view.begin(name)
            succeeded, text = reproduce(name, slot, pull=pull)
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
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, KeyboardInterrupt):  # Ctrl-C reaches all processes by itself
                for process in list(RUNNING):
                    process.terminate()  # its stage ends with it: see `stages.processes`
            raise


def needed(name: str, others: Iterable[str]) -> list[str]:
    """Return the trainings among other stages that an evaluation reads; [] for a training."""
    if not name.startswith(EVALUATIONS):
        return []
    _, _, fold = name.partition("@")
    beginnings = tuple(f"{prefix}{fold}-" for prefix in TRAININGS)
    return [other for other in others if other.startswith(beginnings)]


def reproduce(name: str, environment: Mapping[str, str], *, pull: bool = False) -> tuple[bool, str]:
    """Run one stage alone. Return whether it succeeded, and a text.

    The text is its output if it fails, otherwise its stderr.
    """
    start = time.monotonic()
    command = [*DVC, *OPTIONS, *(["--pull"] if pull else []), name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        RUNNING.add(process)
        stdout, stderr = process.communicate()
        RUNNING.discard(process)
    seconds = f"{time.monotonic() - start:.0f} s"
    if process.returncode:
        return False, f"{name} failed after {seconds}\n{stdout}{stderr}"
    return True, f"{name} done in {seconds}\n{stderr}".rstrip()
