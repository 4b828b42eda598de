"""Progress of a command on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

NUM_LINES = 10


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the amount of work done since its last call.

    On a terminal it moves a bar; elsewhere it prints a line at each tenth of the total.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=title, unit=f" {unit}") as bar:

            def advance_bar(count: int) -> None:
                bar.update(count)

            yield advance_bar
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        # A batch may pass several tenths at once, which is one line.
        lines_before = NUM_LINES * done // max(total, 1)
        done += count
        if NUM_LINES * done // max(total, 1) > lines_before:
            click.echo(f"{title}: {done:,} of {total:,} {unit}", err=True)

    yield advance
