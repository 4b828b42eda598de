"""The command line of all stages: error messages without a traceback, and progress."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable

from metabin.errors import UserError
from stages import fork_client, kernels, processes, stdout
from stages.progress_messages import reported_progress as progress

__all__ = ["dvc", "progress", "run"]

# Errors that a user can repair: the disk is full, or a permission is missing.
REPAIRABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
# Environment variables, unless the user has set them. Threads that wait for work would spin, and
# take the core of another training: those of OpenMP sleep instead. OpenBLAS, numpy's library of
# products, starts none: its threads cannot sleep, and their number changes the last bits.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}


def run(main: Callable[[], None]) -> None:
    """Run a stage or a command and exit with its code.

    An error that the user can repair is printed without a traceback, with exit code 1. If the
    reader of the output closes it early, as `| head` does, the program ends without a message.

    `stages.tools.repro` starts a fork server, which then runs the stage: see `stages.fork_server`.
    """
    for name, value in THREADS.items():  # before the libraries are loaded, which read them then
        os.environ.setdefault(name, value)
    processes.end_in_order()
    kernels.reuse_compiled()
    code = fork_client.run_on_server()
    if code is not None:
        sys.exit(code)
    try:
        code = _exit_code(main)
        processes.end_at_once()
        stdout.flush()
    except BrokenPipeError:
        if not stdout.is_closed():  # another pipe or a socket broke: a defect
            raise
        stdout.discard()
        code = code or stdout.CLOSED
    if code:
        sys.exit(code)


def _exit_code(main: Callable[[], None]) -> int | str | None:
    try:
        main()
    except SystemExit as error:
        return error.code
    except (UserError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        message = str(error)
        if error.filename:
            message = f"{error.filename} is missing; run `dvc repro` to make it"
        print(f"error: {message}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in REPAIRABLE:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return None


def dvc(*arguments: str, capture: bool = False) -> str:
    """Run a DVC command, after others that have DVC's lock. If it fails, exit with its code.

    Args:
        capture: return the output instead of printing it.

    Returns:
        The output, or "" if it is printed.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    process = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True)
    if process.returncode:
        sys.exit(process.returncode)
    return process.stdout or ""
