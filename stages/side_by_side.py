"""Run stages of dvc.yaml side by side, each by a `dvc repro --single-item` of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Protocol

from metabin import locks
from stages import workspace

DVC = (sys.executable, "-m", "dvc")
OPTIONS = ("--wait-for-lock", "repro", "--single-item")
# Prefixes of the stages that run side by side. No evaluation reads a final model.
FINAL_TRAININGS = ("final@",)
TRAININGS = ("train@", "baseline@")
EVALUATIONS = ("evaluate@", "rho-probe@")
# What says why a stage failed: its own message, the last line of a traceback, or DVC's message.
ERROR = re.compile(r"^(?:error: .+|[\w.]*Error: .+)$", re.MULTILINE)
DVC_ERROR = re.compile(r"^ERROR: .+$", re.MULTILINE)
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
) -> dict[str, str]:
    """Run stages, as many at a time as there are slots, and print the result of each.

    An evaluation waits for the trainings of its fold, and does not run if one of them fails. After
    Ctrl-C no further stage starts.

    Args:
        names: of the stages; evaluations after trainings, so that a waiting one blocks no training.
        slots: the additions to the environment of each.
        view: is told of every start and end.
        pull: restore results from the remote where they are there.
    Returns: the names of the stages that failed or did not run, and why.
    """
    available: SimpleQueue[Mapping[str, str]] = SimpleQueue()
    for slot in slots:
        available.put(slot)

    def run(name: str, earlier: Mapping[str, Future[str]]) -> str:
        failed = [other for other, stage in earlier.items() if stage.result()]
        if failed:
            return f"not run, since it needs {', '.join(failed)}"
        slot = available.get()
        try:
            view.begin(name)
            succeeded, text = reproduce(name, slot, pull=pull)
            view.end(name, text, succeeded=succeeded)
        finally:
            available.put(slot)
        return "" if succeeded else reason(text)

    with ThreadPoolExecutor(len(slots)) as pool:
        stages: dict[str, Future[str]] = {}
        for name in names:
            earlier = {other: stages[other] for other in needed(name, stages)}
            stages[name] = pool.submit(run, name, earlier)
        try:
            for stage in as_completed(stages.values()):
                stage.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, KeyboardInterrupt):  # Ctrl-C reaches all processes by itself
                for process in list(RUNNING):
                    process.terminate()  # its stage ends with it: see `stages.processes`
            raise
    return {name: stage.result() for name, stage in stages.items() if stage.result()}


def needed(name: str, others: Iterable[str]) -> list[str]:
    """Return the trainings among other stages that an evaluation reads; [] for a training."""
    if not name.startswith(EVALUATIONS):
        return []
    _, _, fold = name.partition("@")
    beginnings = tuple(f"{prefix}{fold}-" for prefix in TRAININGS)
    return [other for other in others if other.startswith(beginnings)]


def reproduce(name: str, environment: Mapping[str, str], *, pull: bool = False) -> tuple[bool, str]:
    """Run one stage alone. Return whether it succeeded, and a text.

    The text is its output if it fails, otherwise its stderr. If another process uses the files of
    the stage, it starts when that has ended, if that takes only a moment, as a `dvc status` does.
    """
    start = time.monotonic()
    command = [*DVC, *OPTIONS, *(["--pull"] if pull else []), name]
    code, stdout, stderr = _run(command, environment)
    while (refusal := workspace.refusal(stderr)) and time.monotonic() < start + locks.PATIENCE:
        time.sleep(0.5)
        code, stdout, stderr = _run(command, environment)
    seconds = f"{time.monotonic() - start:.0f} s"
    if refusal:
        return False, f"{name} did not run\nerror: {refusal}"
    if code:
        return False, f"{name} failed after {seconds}\n{stdout}{stderr}"
    return True, f"{name} done in {seconds}\n{stderr}".rstrip()


def reason(text: str) -> str:
    """Return the line of a failed stage's output that says why it failed."""
    errors = ERROR.findall(text) or DVC_ERROR.findall(text) or text.splitlines()
    return errors[-1]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        RUNNING.add(process)
        stdout, stderr = process.communicate()
        RUNNING.discard(process)
    return process.returncode, stdout, stderr
