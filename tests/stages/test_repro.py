"""`make repro`: the parallel runner, what it prints of its stages, and the preset before it."""

import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise

import pytest
import yaml
from ruamel.yaml import YAML

from stages.tools import repro

SCRIPT = """
import sys
print("progress: 1 of 4 steps")
print("train/night is not recorded in MLflow: disk full", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a DVC project with a stage that warns and one that fails."""
    (tmp_path / "stage.py").write_text(SCRIPT)
    stages = {name: {"cmd": f"{sys.executable} stage.py {code}"} for name, code in (("warns", 0), ("fails", 3))}
    YAML().dump({"stages": stages}, tmp_path / "dvc.yaml")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)


def test_a_warning_of_a_stage_that_succeeds_is_shown_without_its_progress(project):
    head, *lines = repro.reproduce("warns").splitlines()
    assert head.startswith("warns done in ")
    assert lines == ["train/night is not recorded in MLflow: disk full"]


def test_all_output_of_a_stage_that_fails_is_shown(project):
    text = repro.reproduce("fails")
    assert text.startswith("fails failed after ")
    assert "progress: 1 of 4 steps" in text
    assert "train/night is not recorded in MLflow: disk full" in text
    assert "ERROR: failed to reproduce 'fails'" in text  # DVC's own reason


def test_the_reason_of_dvc_is_shown_where_no_stage_ran(project):
    assert "ERROR: " in repro.reproduce("absent")


def test_after_an_interruption_no_further_stage_starts(monkeypatch):
    started = []

    def interrupted(name):
        started.append(name)
        time.sleep(0.02)  # so that not all of them end before the first result is read
        raise KeyboardInterrupt

    monkeypatch.setattr(repro, "reproduce", interrupted)
    with pytest.raises(KeyboardInterrupt):
        repro.reproduce_all([str(number) for number in range(100)], 1)
    assert len(started) < 100


def commands_of_make(root, *arguments):
    """Return the lines that `make repro` would run, without the installation."""
    command = [shutil.which("make"), "--no-print-directory", "--old-file=setup", "--dry-run", "repro", *arguments]
    environment = {**os.environ, "PRESET": "significance", "JOBS": "2"}  # only an argument names a preset
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith("python")]


def test_make_applies_a_preset_only_if_one_is_given_and_before_the_pipeline(root):
    pipeline = "python -m stages.tools.repro --jobs 2"
    assert commands_of_make(root) == [pipeline]
    assert commands_of_make(root, "PRESET=quick") == ["python -m stages.tools.params preset quick", pipeline]


def test_the_groups_name_stages_of_the_pipeline_in_their_order(root):
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    names = [[prefix.removesuffix("@") for prefix in group] for group in repro.GROUPS]
    assert {name for group in names for name in group} == {"train", "baseline", "evaluate", "rho-probe"}
    assert all("foreach" in stages[name] or "matrix" in stages[name] for group in names for name in group)
    order = list(stages)
    for earlier, later in pairwise(names):
        assert max(map(order.index, earlier)) < min(map(order.index, later))
