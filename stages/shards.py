"""The division of all trainings among machines, and the remote through which they exchange results.

DVC's run cache maps a stage with its inputs to its outputs. A machine pushes those of its part, and
another one restores them as if it had trained: `dvc repro --pull`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from metabin.errors import ConfigError, UserError
from stages import cli
from stages.side_by_side import FINAL_TRAININGS, TRAININGS

# Relative costs of trainings. Every machine must divide them alike, so its own times do not count.
COSTS = {"train": 2.0, "final": 2.0, "baseline": 1.0}


def parse(text: str) -> tuple[int, int]:
    """Return I and N of "I/N".

    Raises:
        ConfigError: it has another form, or I is not one of 1 ... N.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= parts:
        raise ConfigError(f"--shard is {text}; expected is I/N with 1 <= I <= N, as 1/4")
    return part, parts


def require_remote() -> None:
    """Check that DVC has a default remote.

    Raises:
        ConfigError: it has none.
    """
    command = [sys.executable, "-m", "dvc", "config", "core.remote"]
    if not subprocess.run(command, capture_output=True, text=True).stdout.strip():
        raise ConfigError(
            "DVC has no default remote through which machines could exchange trainings; add one "
            "that all of them reach: dvc remote add --default NAME FOLDER_OR_URL"
        )


def trainings(part: int, parts: int) -> list[str]:
    """Return the names of the trainings of one of several parts, the longest first."""
    listed = cli.dvc("stage", "list", "--name-only", capture=True).split()
    names = [name for name in listed if name.startswith((*FINAL_TRAININGS, *TRAININGS))]
    return divide(names, parts)[part - 1]


def divide(names: Sequence[str], parts: int) -> list[list[str]]:
    """Divide trainings into parts of about equal cost: the longest first, each to the least part.

    The result depends on the names alone.
    """
    costs = {name: COSTS[name.partition("@")[0]] for name in names}
    divided: list[list[str]] = [[] for _ in range(parts)]
    totals = [0.0] * parts
    for name in sorted(names, key=lambda name: (-costs[name], name)):
        least = totals.index(min(totals))
        divided[least].append(name)
        totals[least] += costs[name]
    return divided


def push(names: Sequence[str]) -> None:
    """Push the results of trainings, with their entries of the run cache, to the default remote.

    Raises:
        UserError: a training has not succeeded; those that have are pushed.
    """
    stale = json.loads(cli.dvc("status", "--json", *names, capture=True)) if names else {}
    finished = [name for name in names if name not in stale]
    if finished:
        cli.dvc("push", "--run-cache", *finished)
    if stale:
        raise UserError(
            f"{len(stale)} of {len(names)} trainings have failed, see above: {', '.join(stale)}; "
            "the others are in the remote. Run the same command again"
        )
