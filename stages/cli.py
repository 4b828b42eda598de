"""What every stage's command line shares: errors without a traceback, and progress."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from metabin.errors import UserError
from stages import stdout

MENDABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)  # disk full, no permission


def run(main: Callable[[], None]) -> None:
    """Run a stage or a command and exit with its code.

    An error that the user can mend is printed alone, with exit code 1. A reader that closes the output
    early, as `| head` does, ends the program without a message.
    """
    code = None
    try:
        code = _exit_code(main)
        stdout.flush()
    except BrokenPipeError:
        if not stdout.is_closed():  # another pipe or a socket broke, which is a fault
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
        missing = f"{error.filename} is missing; `dvc repro` makes what is not there"
        print(f"error: {missing if error.filename else error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return None


def dvc(*arguments: str, capture: bool = False) -> str:
    """Run a DVC command; return what it prints if `capture`, else "". A failure ends this program with its code."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yields a function that is told of work done: a bar on a terminal, else a line at every quarter (of total > 0)."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total or None, desc=title, unit=unit, unit_scale=unit == "byte") as bar:

            def advance_bar(count: int) -> None:
                bar.update(count)

            yield advance_bar
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        quarter = 4 * done // max(total, 1)
        done += count
        if total and 4 * done // total > quarter:
            print(f"{title}: {done} of {total} {unit}s", flush=True)

    yield advance
