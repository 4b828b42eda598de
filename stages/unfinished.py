"""Remove the states of unfinished trainings that nothing resumes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from stages import layout

if TYPE_CHECKING:
    from metabin.config import Config


def remove_states(config: Config) -> None:
    """Remove the states of unfinished trainings that no training of a configuration resumes.

    A state belongs to the parameters, the data and the code of its training. That of a training
    that runs, as in an experiment, stays.

    Raises:
        FileNotFoundError: partition has not run, so that the data are not known.
    """
    from filelock import FileLock, Timeout

    folders = [path for path in layout.resume_states().glob("*") if path.is_dir()]
    if not folders:
        return
    from metabin.engine.resume import LOCK

    resumable = _resumable(config)
    num_removed = 0
    for folder in folders:
        if folder.name in resumable:
            continue
        with suppress(Timeout), FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder)
            num_removed += 1
    num_left = len(folders) - num_removed
    print(
        f"removed {num_removed} states of unfinished trainings that no training of this "
        f"configuration resumes; {num_left} stay"
    )


def _resumable(config: Config) -> set[str]:
    """Return the digests of all trainings of a configuration."""
    from metabin.data import store
    from metabin.engine.resume import possible_digests
    from metabin.registry import find_method

    code = layout.training_code()
    digests: set[str] = set()
    for fold, name, seed in layout.trainings(config.protocol):
        method, of_method = config.of(name)
        manifest = store.load_manifest(layout.PARTITION, fold)
        digests |= possible_digests(of_method, find_method(method), seed, manifest, code)
    return digests
