"""Several machines share the trainings: `python -m stages.tools.repro --shard 1/2` and `--pull`."""

import os
import shutil
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from metabin.errors import ConfigError, UserError
from stages import shards
from stages.side_by_side import reproduce_all

NAMES = [
    "final@metabin",
    *(f"train@{fold}-metabin-0" for fold in ("campus", "mall", "night")),
    *(f"baseline@{fold}-{method}-0" for fold in ("campus", "mall", "night") for method in ("bn", "in")),
]
# It counts its runs, so that a test sees whether it ran.
TRAINING = """
import pathlib, sys
pathlib.Path("runs").open("a").write(sys.argv[1])
assert sys.argv[1] not in pathlib.Path("broken").read_text()
pathlib.Path(sys.argv[1]).write_text("weights of " + sys.argv[1])
"""


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 20])
def test_parts_have_every_training_once_and_about_equal_costs(parts):
    divided = shards.divide(NAMES, parts)
    assert len(divided) == parts
    assert sorted(name for part in divided for name in part) == sorted(NAMES)
    costs = [sum(shards.COSTS[name.partition("@")[0]] for name in part) for part in divided]
    assert max(costs) - min(costs) <= 2
    assert shards.divide(NAMES[::-1], parts) == divided  # every machine divides alike


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", ""])
def test_a_part_that_does_not_exist_is_refused(text):
    with pytest.raises(ConfigError, match=r"expected is I/N with 1 <= I <= N, as 1/4"):
        shards.parse(text)


class Silent:
    def begin(self, name):
        pass

    def end(self, name, text, *, succeeded):
        pass


def run(folder, *command):
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """Three clones of a small DVC project, and a function that goes to one of them."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    first = tmp_path / "0"
    first.mkdir()
    (first / "train.py").write_text(TRAINING)
    (first / "broken").write_text("")
    command = f"{sys.executable} train.py"
    stages = {
        name: {"foreach": items, "do": {"cmd": f"{command} ${{item}}", "deps": ["train.py"], "outs": ["${item}"]}}
        for name, items in (("train", ["a", "b"]), ("baseline", ["c", "d"]))
    }
    YAML().dump({"stages": stages}, first / "dvc.yaml")
    run(first, sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm")
    monkeypatch.chdir(first)
    with pytest.raises(ConfigError, match=r"no default remote .* dvc remote add --default NAME"):
        shards.require_remote()
    run(first, sys.executable, "-m", "dvc", "remote", "add", "--default", "shared", str(tmp_path / "shared"))
    shards.require_remote()
    for number in "12":
        shutil.copytree(first, tmp_path / number)

    def go(number):
        monkeypatch.chdir(tmp_path / str(number))

    return go


def test_what_the_parts_train_another_machine_restores_without_training(machines, tmp_path):
    for number in (0, 1):
        machines(number)
        names = shards.trainings(number + 1, 2)
        assert names == [["train@a", "baseline@c"], ["train@b", "baseline@d"]][number]
        reproduce_all(names, [{}], Silent(), pull=True)
        shards.push(names)
    machines(2)
    reproduce_all(["train@a", "train@b", "baseline@c", "baseline@d"], [{}], Silent(), pull=True)
    assert not (tmp_path / "2/runs").exists()
    assert (tmp_path / "2/d").read_text() == "weights of d"


def test_a_training_that_fails_is_named_and_the_others_are_pushed(machines, tmp_path):
    machines(0)
    (tmp_path / "0/broken").write_text("c")
    names = shards.trainings(1, 2)
    reproduce_all(names, [{}], Silent())
    with pytest.raises(UserError, match=r"1 of 2 trainings have failed, see above: baseline@c; the others are in the"):
        shards.push(names)
    machines(1)
    reproduce_all(["train@a"], [{}], Silent(), pull=True)
    assert not (tmp_path / "1/runs").exists()


def test_a_job_of_a_slurm_array_runs_its_part_in_a_clone_with_the_parameters_of_the_repository(root, tmp_path):
    repository = tmp_path / "repository"
    (repository / ".venv/bin").mkdir(parents=True)
    (repository / ".dvc").mkdir()
    (repository / ".dvc/config").touch()
    (repository / "params.yaml").write_text("committed")
    run(repository, "git", "init", "--quiet")
    run(repository, "git", "add", ".")
    author = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    run(repository, "git", *author, "commit", "--quiet", "--message", "all")
    (repository / "params.yaml").write_text("changed")
    (repository / ".dvc/config.local").write_text("a remote")
    python = repository / ".venv/bin/python"
    python.write_text(f"#!/bin/sh\n(pwd; echo $@; cat params.yaml .dvc/config.local) > {tmp_path}/typed\n")
    python.chmod(0o755)
    job = {"SLURM_SUBMIT_DIR": str(repository), "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8"}
    script = str(root / "examples/slurm_array.sh")
    subprocess.run(["bash", script], env=os.environ | job | {"TMPDIR": str(tmp_path)}, check=True)
    folder, command, text = (tmp_path / "typed").read_text().split("\n")
    assert folder.startswith(f"{tmp_path}/metabin.")
    assert command == "-m stages.tools.repro --shard 3/8"
    assert text == "changeda remote"
    assert not list(tmp_path.glob("metabin.*"))  # the clone is removed
