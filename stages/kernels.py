"""The compiled kernels of the project, for the temporary workspaces of DVC."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from metabin.files import write_bytes
from stages import layout

PACKAGE = "metabin"
SUFFIXES = (".nbc", ".nbi")  # numba's code, and its index, which names files of code


def reuse_compiled() -> None:
    """Copy the project's compiled kernels to the working directory, if that is another one.

    `dvc exp run --temp` and DVC's queue run stages in copies of the project that have committed
    files only, so numba would compile there for 20 s. It ignores code whose source has changed.
    """
    project = layout.project()
    if project.resolve() == Path.cwd():
        return
    for suffix in SUFFIXES:  # code first: another process may read the index meanwhile
        for path in (project / PACKAGE).rglob(f"__pycache__/*{suffix}"):
            target = path.relative_to(project)
            if target.exists() or not target.parent.parent.is_dir():
                continue
            with suppress(OSError):  # the kernel is compiled instead
                write_bytes(target, path.read_bytes())
