"""What the parallel runner shows of the stages that it starts."""

import subprocess
import sys
import time

import pytest
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
    """A DVC project with a stage that warns and one that fails."""
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
