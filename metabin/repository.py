"""The Git repository that the code runs from: the files that count as code, and a call of Git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# A change of these can change a result. params.yaml is left out: DVC edits it for every
# `dvc exp run -S`, and its values are recorded separately.
CODE = ("metabin", "stages", "dvc.yaml", "pyproject.toml", "requirements.txt", "requirements.lock")


def run_git(*arguments: str, folder: Path | None = None) -> str | None:
    """Return the output of a Git command, or None if it fails, as without Git or a repository.

    Args:
        folder: the working directory of the command; by default that of this process.
    """
    # Without optional locks: `git status` must not lock the index while DVC runs.
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
