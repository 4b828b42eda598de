"""Progress of long work: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Advance(Protocol):
    """Report work that was done."""

    def __call__(self, count: int, text: str = "") -> None:
        """Report the work since the last call.

        Args:
            count: in the unit of the progress.
            text: shown behind it, e.g. the losses.
        """


@contextmanager
def progress(
    title: str, total: int, unit: str, *, lines: TextIO | None = None
) -> Iterator[Advance]:
    """Yield a function to call with the amount of work done since its last call.

    On a terminal it moves a bar; elsewhere it prints a line at every quarter of a `total` above 0.

    Args:
        unit: In the singular.
        lines: Where the lines go. Default: standard output.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total or None, desc=title, unit=unit, unit_scale=unit == "byte") as bar:

            def advance_bar(count: int, text: str = "") -> None:
                if text:
                    bar.set_postfix_str(text, refresh=False)
                bar.update(count)

            yield advance_bar
        return
    done = 0

    def advance(count: int, text: str = "") -> None:
        nonlocal done
        quarter = 4 * done // max(total, 1)
        done += count
        if total and 4 * done // total > quarter:
            line = f"{title}: {done} of {total} {unit}s{f', {text}' if text else ''}"
            print(line, file=lines or sys.stdout, flush=True)

    yield advance
