"""What it costs before work begins: imports, and a `dvc repro` that has nothing to do.

The latter is measured where `make repro` has been run; elsewhere its row is left out, with a word on stderr.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from benchmarks import pairs

EVERYTHING = "import torch, torchvision, mlflow, pandas, matplotlib.pyplot"
PROJECT = Path(__file__).parents[1]


def rows() -> Iterator[pairs.Row]:
    python = (sys.executable, "-c")
    for what, ours in (
        ("the help of a stage", (sys.executable, "-m", "stages.partition", "--help")),
        ("imports of a stage without a network", (*python, "import stages.partition, metabin.data.partition.roles")),
        ("imports of a training", (*python, "import stages.train, metabin.engine.trainer, torch.optim")),
    ):
        yield pairs.seconds(what, "importing everything", running(*ours), running(*python, EVERYTHING))
    dvc = (sys.executable, "-m", "dvc")
    status = subprocess.run([*dvc, "status", "--quiet"], cwd=PROJECT, check=False)
    if status.returncode:
        print("dvc repro would run stages here: no row for one without work; run `make repro` first", file=sys.stderr)
        return
    listed = subprocess.run([*dvc, "stage", "list", "--name-only"], cwd=PROJECT, check=True, capture_output=True)
    num_stages = len(listed.stdout.split())
    with tempfile.TemporaryDirectory() as folder:
        empty_project(Path(folder), num_stages)
        yield pairs.seconds(
            "dvc repro with nothing to do",
            f"an empty project of {num_stages} stages",
            running(*dvc, "repro", "--quiet"),
            running(*dvc, "repro", "--quiet", cwd=Path(folder)),
            goal=1 / 1.2,
        )


def running(*command: str, cwd: Path = PROJECT) -> Callable[[], object]:
    return lambda: subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def empty_project(folder: Path, num_stages: int) -> None:
    """Stages of one small file in and one out, all up to date."""
    (folder / "in").write_text("")
    stages = {f"stage{i}": {"cmd": f"echo > out{i}", "deps": ["in"], "outs": [f"out{i}"]} for i in range(num_stages)}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    running(sys.executable, "-m", "dvc", "repro", "--quiet", cwd=folder)()


if __name__ == "__main__":
    pairs.main(rows)
