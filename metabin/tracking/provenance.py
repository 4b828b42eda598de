"""The origin of a run: project root, DVC experiment and stage, commit and parameters."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from metabin.repository import CODE, run_git
from metabin.tracking.changes import UNCHANGED, ParamChanges, read_changes


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a run.

    `root` is the main repository, also inside DVC's temporary workspaces. `parent_key` identifies
    the parent run: one per DVC experiment and baseline commit, or one per commit of the code and
    parameters under plain `dvc repro`. `parent_name` is for people: the name of the DVC experiment
    and the changed parameters.
    """

    root: Path
    parent_key: str
    parent_name: str
    changes: ParamChanges
    tags: dict[str, str]

    @property
    def suffix(self) -> str:
        """The end of the names of runs below the parent: what distinguishes the experiment."""
        return "" if self.parent_name == UNCHANGED else f", {self.parent_name}"


def read_provenance() -> Provenance:
    """Read the environment of a DVC stage, the Git repository and params.yaml."""
    root = project_root()
    commit = run_git("rev-parse", "--verify", "HEAD") or "no-commit"
    params = params_digest(root)
    baseline = os.environ.get("DVC_EXP_BASELINE_REV", "")
    experiment = os.environ.get("DVC_EXP_NAME", "")
    changes = read_changes(root)
    name = changes.name
    if experiment:
        name = f"{experiment}: {name}" if changes.values else experiment
    # A commit of documents between two stages makes no other experiment.
    code = run_git("log", "-1", "--format=%H", "--", *code_paths()) or commit
    key = experiment or f"repro-{code[:7]}-{params[:8]}"
    if experiment and baseline:
        key = f"{experiment}@{baseline[:7]}"
    key = re.sub(r"[^\w@.:/-]", "_", key)  # stands between quotes in a search
    tags = {
        "dvc.exp_name": experiment,
        "dvc.baseline_rev": baseline,
        "dvc.stage": os.environ.get("DVC_STAGE", ""),
        "dvc.parent_key": key,
        "git.commit": commit,
        "git.dirty": git_dirty(),
        "params.sha256": params,
    }
    tags = {tag: text for tag, text in tags.items() if text}
    return Provenance(root, key, name, changes, tags)


def project_root() -> Path:
    """Return the root of the project.

    This is DVC_ROOT, or else the nearest folder upward that has .dvc or .git, or else the working
    directory.
    """
    if os.environ.get("DVC_ROOT"):
        return Path(os.environ["DVC_ROOT"]).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():
            return folder
    return here


def params_digest(root: Path) -> str:
    """Return the SHA-256 of params.yaml in the working directory, or else in the root."""
    for path in (Path("params.yaml"), root / "params.yaml"):
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
    return "no-params"


def code_paths() -> list[str]:
    """Return `CODE` for Git, from the root of the repository: a stage may run in a folder below."""
    return [f":(top){path}" for path in CODE]


def git_dirty() -> str:
    """Return "true" if the code differs from the commit, "false" if not, "unknown" without Git.

    Outputs do not count, since every stage rewrites them; nor does params.yaml, whose digest is the
    tag params.sha256.
    """
    status = run_git("status", "--porcelain", "--", *code_paths())
    if status is None:
        return "unknown"
    return "true" if status else "false"
