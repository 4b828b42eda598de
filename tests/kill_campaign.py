"""Kill the pipeline at random moments, run it again, and compare what comes out with an unbroken run.

    PYTHONPATH=. nice -n 10 python tests/kill_campaign.py --kills 100 --minutes 25

A trial kills one command several times, at a random time or at a random write of a file, and then lets it end. The
table counts trials with other bytes, processes that went on, runs that MLflow believes to be running, and steps that
the run of a training has twice or not at all. The exit code is 1 if any of these is not 0.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from stages_in_clone import make_clone, run

from stages.fork_client import ADDRESS, fork_server

NUM_STEPS = 12
TINY = {
    "protocol": {"domains": ["campus"], "sources": ["night", "plaza"], "baselines": ["bn"], "final": []},
    "benchmark": {"num_ids": 6},
    "partition": {"height": 32, "width": 16, "num_train_ids": 4},
    "optim": {"duration": NUM_STEPS, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "rho_every": 2, "checkpoint_every": 1, "candidates": 3},
}
TRAINING = ("python", "-m", "stages.train", "--fold", "campus", "--method", "metabin", "--seed", "0")
COMMANDS = {"training": TRAINING, "dvc repro": ("dvc", "repro"), "side by side": ("python", "-m", "stages.tools.repro")}
KILLS_PER_TRIAL = 4
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TARGETS = ("leaf", "top", "group")
# Parts of the names of files: a kill comes when a process opens, renames or removes one of them, or at any time.
WRITES = {
    "checkpoint": "state.pt",
    "candidate": "candidates",
    "manifest": "data/partition",
    "model": "models/campus",
    "artifact": ".mlflow",
    "dvc.lock": "dvc.lock",
    "rwlock": "rwlock",
}
# Imported by every Python process of a trial. It kills once per start of a command.
HOOK = """
import os, sys

def hook(event, arguments, seen=[]):
    if event not in ("open", "os.rename", "os.remove", "sqlite3.connect") or not os.environ.get("KILL_AT"):
        return
    if event == "open" and "r" in str(arguments[1] or "r") and not (arguments[2] or 0) & 3:
        return
    part, count, marker, number, target, top = os.environ["KILL_AT"].split("|")
    if part not in str(arguments[0]):
        return
    seen.append(event)
    if len(seen) == int(count):
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        pid = os.getpid() if target == "leaf" else int(open(top).read())
        (os.killpg if target == "group" else os.kill)(pid, int(number))

sys.addaudithook(hook)
"""


@dataclass
class Tally:
    """What the trials of a command have shown."""

    trials: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    other_bytes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    still_running: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return [*self.failed, *self.other_bytes, *self.orphans, *self.still_running, *self.steps]

    def row(self) -> list[int]:
        lists = (self.failed, self.other_bytes, self.orphans, self.still_running, self.steps)
        return [self.trials, self.kills.total(), *map(len, lists)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it starts with `&`
    deadline = time.monotonic() + 60 * args.minutes
    choose = random.Random(args.seed)
    tallies = {name: Tally() for name in args.commands}
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, campaign(Path(folder), args.commands) as trials:
        while sum(tally.kills.total() for tally in tallies.values()) < args.kills and time.monotonic() < deadline:
            name = min(tallies, key=lambda name: tallies[name].kills.total())
            sys.stdout.write(trials.trial(name, tallies[name], choose) + "\n")
            sys.stdout.flush()
    sys.stdout.write(table(tallies) + "\n")
    sys.exit(any(tally.problems for tally in tallies.values()))


def table(tallies: dict[str, Tally]) -> str:
    """Return a table with a line per command, the kills by kind, and the problems."""
    head = "command, trials, kills, failed, other bytes, orphans, RUNNING in MLflow, steps twice or missing"
    rows = [", ".join(map(str, [name, *tally.row()])) for name, tally in tallies.items()]
    kills = sum((tally.kills for tally in tallies.values()), Counter())
    problems = [problem for tally in tallies.values() for problem in tally.problems]
    return "\n".join([head, *rows, f"kills: {dict(kills)}", *problems])


@contextmanager
def campaign(folder: Path, commands: Iterable[str]) -> Iterator[Campaign]:
    """Prepare a clone in an empty folder, and a fork server for single trainings.

    Imports take the most time of a short training, and no kill of interest happens there.
    """
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(hook), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep))
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        for name, text in {"DVC_NO_ANALYTICS": "1", "METABIN_TRACKING": "on", "CUDA_VISIBLE_DEVICES": ""}.items():
            patch.setenv(name, text)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        base = make_clone(folder / "base", TINY)
        run(base, "dvc", "repro", "partition")
        # `dvc repro partition` runs the downloads in any order, and `dvc repro` keeps that of their entries.
        run(base, sys.executable, "-m", "stages.tools.remove_leftovers")
        with fork_server():
            yield Campaign(base, commands)


class Campaign:
    """Trials in copies of a prepared clone, and the outcome of each command without a kill."""

    def __init__(self, base: Path, commands: Iterable[str]) -> None:
        self._base = base
        self._expected = {}
        self._seconds = {}
        for name in commands:
            clone = self._clone(f"unbroken {name}")
            start = time.monotonic()
            assert self._start(name, clone).wait() == 0, log_of(clone).read_text()
            self._seconds[name] = time.monotonic() - start
            self._expected[name] = outcome(clone)
        pipelines = [expected for name, expected in self._expected.items() if name != "training"]
        different = [differences(expected, pipelines[0]) for expected in pipelines]
        assert not any(different), different

    def trial(self, name: str, tally: Tally, choose: random.Random, num_kills: int = KILLS_PER_TRIAL) -> str:
        """Kill a command some times, let it end, add what it leaves to a tally, and return the kills."""
        tally.trials += 1
        clone = self._clone(f"trial {name} {tally.trials}")
        if name != "training" and choose.random() < 0.3:  # so that kills meet the partition as well
            shutil.rmtree(clone / "data/partition")
        kills = []
        for _ in range(num_kills):
            if kill := self._kill(name, clone, choose):
                kills.append(kill)
                tally.kills[kill.partition(",")[0]] += 1
                tally.orphans += [f"{clone.name}: {kill}: {orphan}" for orphan in orphans(clone)]
        where = f"{clone.name} ({'; '.join(kills)})"
        if self._start(name, clone).wait():
            tally.failed.append(f"{where}: {log_of(clone).read_text()[-2000:]}")
        elif different := differences(outcome(clone), self._expected[name]):
            tally.other_bytes.append(f"{where}: {different}")
        running, steps = recorded(clone)
        tally.still_running += [f"{where}: {text}" for text in running]
        tally.steps += [f"{where}: {text}" for text in steps]
        shutil.rmtree(clone)
        return where

    def _clone(self, name: str) -> Path:
        return shutil.copytree(self._base, self._base.parent / name.replace(" ", "-"), symlinks=True)

    def _start(self, name: str, clone: Path, kill_at: str = "") -> subprocess.Popen[bytes]:
        environment = os.environ | {"KILL_TRIAL": str(clone), "KILL_AT": kill_at}
        if name != "training":
            del environment[ADDRESS]
        with log_of(clone).open("a") as log:
            return subprocess.Popen(
                COMMANDS[name], cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def _kill(self, name: str, clone: Path, choose: random.Random) -> str:
        """Start a command, kill it at a write or at a time, and return what happened; "" if it ended before."""
        number, target = choose.choice(SIGNALS), choose.choice(TARGETS)
        write = choose.choice([None, None, *WRITES])
        count = choose.choice((1, 2, 3, 5, 9, 17))
        seconds = choose.uniform(0.05, 0.9) * self._seconds[name]
        marker, top = clone.parent / "killed", clone.parent / "top"
        marker.unlink(missing_ok=True)
        kill_at = (
            "|".join([WRITES[write], str(count), str(marker), str(int(number)), target, str(top)]) if write else ""
        )
        process = self._start(name, clone, kill_at)
        top.write_text(str(process.pid))
        moment = f"{write} write {count}"
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            send(process.pid, number, target, choose)
            moment = f"{seconds:.1f} s"
            process.wait(timeout=600)  # others beside a killed leaf go on
        else:
            if not marker.exists():
                return ""
        return f"{number.name} {target}, {moment}, code {process.returncode}"


def log_of(clone: Path) -> Path:
    return clone.with_name(f"{clone.name}.log")


def send(top: int, number: signal.Signals, target: str, choose: random.Random) -> None:
    """Send a signal to the first process of a command, to its group, or to one of its last descendants."""
    if target == "group":
        os.killpg(top, number)
        return
    pid = top
    if target == "leaf":
        children = psutil.Process(top).children(recursive=True)
        leaves = [child.pid for child in children if not child.children()]
        pid = choose.choice(leaves) if leaves else top
    os.kill(pid, number)


def orphans(clone: Path) -> list[str]:
    """Return the processes of a clone that run 15 seconds after the kill, and end them."""
    deadline = time.monotonic() + 15
    while found := [process for process in psutil.process_iter() if is_of(process, clone)]:
        if time.monotonic() > deadline:
            for process in found:
                process.kill()
            return [" ".join(process.info["cmdline"] or []) for process in found]
        time.sleep(0.1)
    return []


def is_of(process: psutil.Process, clone: Path) -> bool:
    """Return whether a process works in a clone. This one and the fork server do not."""
    try:
        process.info = {"cmdline": process.cmdline()}
        is_ours = process.environ().get("KILL_TRIAL") == str(clone) and Path(process.cwd()) == clone
        return is_ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def outcome(clone: Path) -> dict[str, str]:
    """Return the digests of the files that a command makes, by their paths."""
    folders = ("models", "results", "rho_probe", "reports", "data/partition")
    files = [path for folder in folders for path in (clone / folder).rglob("*") if path.is_file()]
    files += [path for path in [clone / "dvc.lock"] if path.is_file()]
    digests = {str(path.relative_to(clone)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    left = [str(path.relative_to(clone)) for path in (clone / ".resume").glob("*/*")]
    return digests | dict.fromkeys(left, "left")


def differences(actual: dict[str, str], expected: dict[str, str]) -> list[str]:
    return sorted(path for path in actual.keys() | expected.keys() if actual.get(path) != expected.get(path))


def recorded(clone: Path) -> tuple[list[str], list[str]]:
    """Return the runs that MLflow believes to be running, and the trainings whose steps are not all there once."""
    with sqlite3.connect(clone / ".mlflow/mlflow.db") as store:
        running = [name for (name,) in store.execute("select name from runs where status = 'RUNNING'")]
        tags = {}
        for run_id, key, value in store.execute("select run_uuid, key, value from tags"):
            tags.setdefault(run_id, {})[key] = value
        trainings = [run_id for run_id, of in tags.items() if of.get("kind") == "train" and "superseded" not in of]
        wrong = []
        for run_id in trainings:
            query = "select step from metrics where run_uuid = ? and key = 'base/ce' order by step"
            steps = [step for (step,) in store.execute(query, (run_id,))]
            if steps != list(range(NUM_STEPS)):
                wrong.append(f"{tags[run_id].get('title')}: {steps}")
        return running, wrong


if __name__ == "__main__":
    main()
