"""Who is running: the project root, the DVC experiment and stage, the commit and the parameters."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# A run is "dirty" when one of these differs from its commit. params.yaml is not here, since DVC edits it for
# every `exp run -S` and the tag params.sha256 names its content; nor are outputs, which each stage rewrites.
CODE = ("*.py", "dvc.yaml", "pyproject.toml", "requirements*.txt")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run comes from.

    `root` is the main repository, also inside DVC's temporary workspaces. `parent_key` is one per DVC
    experiment and baseline commit, or one per commit and parameters under plain `dvc repro`; `parent_name` is
    its short form.
    """

    root: Path
    parent_key: str
    parent_name: str
    tags: dict[str, str]


def read_provenance() -> Provenance:
    """Read the environment that DVC gives to a stage, the git repository and params.yaml."""
    root = project_root()
    commit = _git("rev-parse", "--verify", "HEAD") or "no-commit"
    params = params_digest(root)
    baseline = os.environ.get("DVC_EXP_BASELINE_REV", "")
    experiment = os.environ.get("DVC_EXP_NAME", "")
    name = experiment or f"repro-{commit[:7]}-{params[:8]}"
    key = f"{experiment}@{baseline[:7]}" if experiment and baseline else name
    key = re.sub(r"[^\w@.:/-]", "_", key)  # goes between quotes in a search
    tags = {
        "dvc.exp_name": experiment,
        "dvc.baseline_rev": baseline,
        "dvc.stage": os.environ.get("DVC_STAGE", ""),
        "dvc.parent_key": key,
        "git.commit": commit,
        "git.dirty": git_dirty(),
        "params.sha256": params,
    }
    return Provenance(root, key, name, {tag: text for tag, text in tags.items() if text})


def project_root() -> Path:
    """Return DVC_ROOT, else the nearest directory upward with .dvc or .git, else the working directory."""
    if os.environ.get("DVC_ROOT"):
        return Path(os.environ["DVC_ROOT"]).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():
            return folder
    return here


def params_digest(root: Path) -> str:
    """Return the SHA-256 of the params.yaml in use: the working directory's, or else the root's."""
    for path in (Path("params.yaml"), root / "params.yaml"):
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
    return "no-params"


def git_dirty() -> str:
    """Return "true" if code or dvc.yaml differ from the commit, "false" if not, "unknown" without git."""
    status = _git("status", "--porcelain", "--", *CODE)
    return "unknown" if status is None else str(bool(status)).lower()


def _git(*args: str) -> str | None:
    # Without optional locks: `git status` must not take index.lock from a DVC that runs beside it.
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(["git", *args], capture_output=True, text=True, timeout=10, env=env, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
