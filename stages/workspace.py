"""One run at a time in a workspace: what else works there is named, with its process."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from metabin import locks
from metabin.errors import UserError
from stages import layout

# DVC's: which processes read and write the files of running stages
RWLOCK = Path(".dvc/tmp/rwlock")
BUSY = re.compile(r"is busy, it is being blocked by:\n  \(PID (\d+)\): (.+)")  # DVC's refusal
ACTIVITY = "uses the files of a stage"


@contextmanager
def only_run() -> Iterator[None]:
    """Keep other runs of all stages from the workspace until the block ends.

    Raises:
        UserError: one runs, or DVC runs a stage there.
    """
    with locks.hold(layout.lock("repro"), "runs all stages of this workspace"):
        require_no_other()
        yield


def require_no_other() -> None:
    """Check that DVC runs no stage in the workspace, after a moment in which killed ones end.

    Raises:
        UserError: names the process.
    """
    deadline = time.monotonic() + locks.PATIENCE
    while processes := _running():
        if time.monotonic() > deadline:
            raise UserError(locks.busy(processes[0], ACTIVITY))
        time.sleep(0.2)


def refusal(output: str) -> str:
    """Return the message in place of DVC's, where it refused a stage that another process has.

    Args:
        output: of DVC.
    Returns: "" if it refused none.
    """
    match = BUSY.search(output)
    return locks.busy("{} ({})".format(*match.groups()), ACTIVITY) if match else ""


def _running() -> list[str]:
    """Return the processes, as "PID (COMMAND)", in which DVC uses the files of stages."""
    entries = _entries()
    infos = list(entries.get("write", {}).values())
    for readers in entries.get("read", {}).values():
        infos += readers
    processes = {f"{info['pid']} ({info['cmd']})": info["pid"] for info in infos}
    return [process for process, pid in processes.items() if _is_dvc(pid)]


def _entries() -> dict[str, Any]:
    """Return the entries of DVC's file. It is removed if a kill has cut it off: DVC would stop."""
    for _ in range(3):
        try:
            return json.loads(RWLOCK.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:  # perhaps it is just being written
            time.sleep(0.3)
    RWLOCK.unlink(missing_ok=True)
    return {}


def _is_dvc(pid: int) -> bool:
    """Return whether a process runs DVC, and not another program that has got its number."""
    import psutil

    with suppress(psutil.Error):
        return any("dvc" in part for part in psutil.Process(pid).cmdline())
    return False
