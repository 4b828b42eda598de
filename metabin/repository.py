"""The Git repository that the code runs from: the files that count as code, and a call of Git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# A change of these can change a result. params.yaml is not among them: DVC edits it for every
# `dvc exp run -S`, and its values are recorded by themselves.
CODE = ("metabin", "stages", "dvc.yaml", "pyproject.toml", "requirements.txt", "requirements.lock")


def run_git(*arguments: str, folder: Path | None = None) -> str | None:
    """Return what a Git command prints, or None where Git or a repository is missing.

    Args:
        folder: in which Git runs; the working directory by default.
    """
    # Without optional locks: `git status` must not take index.lock from a DVC that runs beside it.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
