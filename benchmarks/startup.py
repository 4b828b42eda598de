"""The cost of a start: imports, and a `dvc repro` that has nothing to do.

The latter is measured after `make repro`. Before it the row is left out, with a message on stderr.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from benchmarks import pairs

# What a program imports that does not delay its imports.
EVERYTHING = "import torch, torchvision, mlflow, pandas, matplotlib.pyplot"
PROJECT = Path(__file__).parents[1]


def rows() -> Iterator[pairs.Row]:
    python = (sys.executable, "-c")
    stage = "import stages.partition, metabin.data.partition.roles"
    training = "import stages.train, metabin.engine.trainer, torch.optim"
    for what, ours in (
        ("the help of a stage", (sys.executable, "-m", "stages.partition", "--help")),
        ("imports of a stage without a network", (*python, stage)),
        ("imports of a training", (*python, training)),
    ):
        other = running(*python, EVERYTHING)
        yield pairs.compare(what, "importing everything", running(*ours), other)
    yield from repro_rows()


def repro_rows() -> Iterator[pairs.Row]:
    """Compare a `dvc repro` without work with that of an empty project of as many stages."""
    dvc = (sys.executable, "-m", "dvc")
    status = subprocess.run([*dvc, "status", "--quiet"], cwd=PROJECT, check=False)
    if status.returncode:
        print(
            "no row for a `dvc repro` without work, since stages are not up to date here; "
            "run `make repro` first",
            file=sys.stderr,
        )
        return
    command = [*dvc, "stage", "list", "--name-only"]
    listing = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    num_stages = len(listing.stdout.split())
    with tempfile.TemporaryDirectory() as folder:
        empty_project(Path(folder), num_stages)
        yield pairs.compare(
            "dvc repro with nothing to do",
            f"an empty project of {num_stages} stages",
            running(*dvc, "repro", "--quiet"),
            running(*dvc, "repro", "--quiet", cwd=Path(folder)),
            goal=1 / 1.2,
        )


def running(*command: str, cwd: Path = PROJECT) -> Callable[[], object]:
    """Return a function that runs a command without its output."""
    return lambda: subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def empty_project(folder: Path, num_stages: int) -> None:
    """Make a DVC project whose stages are up to date, each with one small input and output."""
    (folder / "in").write_text("")
    stages = {
        f"stage{i}": {"cmd": f"echo > out{i}", "deps": ["in"], "outs": [f"out{i}"]}
        for i in range(num_stages)
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    running(sys.executable, "-m", "dvc", "repro", "--quiet", cwd=folder)()


if __name__ == "__main__":
    pairs.main(rows)
