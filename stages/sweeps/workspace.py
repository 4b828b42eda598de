"""A clone of the repository in which a sweep trains, with the cache of the user's own.

The user's workspace stays as it is, and a result is restored there from the cache: by `dvc exp
apply`, or by a `dvc exp run` with the same parameters.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from metabin.errors import UserError
from metabin.repository import CODE, run_git
from stages import cli, layout

PARAMS = "params.yaml"
COPIED = (PARAMS, "dvc.lock")  # with changes that are not committed
FOLDER = Path(".dvc/tmp/sweeps")


def require_ready() -> None:
    """Check that a clone would have the code and the data of this workspace.

    Raises:
        UserError: code is not committed, or the stage partition is not up to date.
    """
    if changed := run_git("status", "--porcelain", "--untracked-files=no", "--", *CODE):
        raise UserError(
            f"a sweep trains the committed code, and changes are not committed:\n{changed}\n"
            "Commit them, or `git stash` them"
        )
    if json.loads(cli.dvc("status", "--json", "partition", capture=True)):
        raise UserError("data/partition is not up to date; run `dvc repro partition` first")


def enter(name: str) -> str:
    """Make or update the clone of a sweep, with the data, and make it the working directory.

    Returns:
        The commit that it has.
    """
    root = Path.cwd()
    clone = root / FOLDER / name
    head = _git(root, "rev-parse", "HEAD")
    cache = cli.dvc("cache", "dir", capture=True).strip()
    if not (clone / ".git").is_dir():
        shutil.rmtree(clone, ignore_errors=True)
        _git(root, "clone", "--quiet", "--no-checkout", str(root), str(clone))
    _git(clone, "fetch", "--quiet", "origin", head)
    _git(clone, "checkout", "--quiet", "--force", "--detach", head)
    for file in COPIED:
        if (root / file).is_file():
            shutil.copyfile(root / file, clone / file)
    os.chdir(clone)
    cli.dvc("cache", "dir", "--quiet", "--local", cache)
    cli.dvc("checkout", "--quiet", "--force", str(layout.PARTITION))
    return head


def link_weights(root: Path, files: Collection[str]) -> None:
    """Make the pretrained weights of the user's workspace visible in the clone."""
    for file in map(Path, files):
        if not file.is_absolute() and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.symlink_to(root / file)


def inputs(
    swept: Collection[str], values: Mapping[str, Any], folds: Sequence[str]
) -> dict[str, Any]:
    """Return what the scores of trials depend on, beside the parameters that are swept, by name.

    Args:
        swept: the parameters, by dotted key.
        values: of all parameters, by dotted key.
        folds: that are trained.
    """
    code = {f"the code of {name}": _git(Path(), "rev-parse", f"HEAD:./{name}") for name in CODE[:2]}
    fixed = {key: value for key, value in values.items() if key not in swept}
    data = {}
    for fold in folds:
        manifest = layout.PARTITION / "folds" / f"{fold}.json"
        data[f"the data of fold {fold}"] = sha256(manifest.read_bytes()).hexdigest()
    return code | fixed | data


def save_experiment(name: str, trainings: Sequence[str], root: Path) -> None:
    """Save the clone's parameters and some trainings as a DVC experiment of the user's repository.

    It has no metrics of held-out domains: those of the commit are of other trainings.

    Args:
        trainings: the names of their stages.
    """
    (layout.REPORTS / "metrics.json").unlink(missing_ok=True)
    cli.dvc("exp", "save", "--quiet", "--force", "--name", name, *trainings)
    cli.dvc("exp", "push", "--quiet", "--force", "--no-cache", str(root), name)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr, end="")
        raise UserError(f"git {' '.join(arguments)} failed in {folder}, see above")
    return done.stdout.strip()
