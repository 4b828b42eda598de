"""Nothing goes on running when what started it has ended."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from ruamel.yaml import YAML

STAGE = """
import os, pathlib, time
from stages import cli

def main():
    pathlib.Path("pid").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        pathlib.Path("ended").touch()

cli.run(main)
"""
SIDE_BY_SIDE = """
from stages import cli
from stages.side_by_side import reproduce_all

class Silent:
    def begin(self, name):
        pass

cli.run(lambda: reproduce_all(["train@a"], [{}], Silent()))
"""


@pytest.fixture
def project(tmp_path, monkeypatch, root):
    (tmp_path / "stage.py").write_text(STAGE)
    stage = {"foreach": ["a"], "do": {"cmd": f"{sys.executable} stage.py"}}
    YAML().dump({"stages": {"train": stage}}, tmp_path / "dvc.yaml")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.delenv("METABIN_FORK_SERVER", raising=False)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)
    return tmp_path


@pytest.mark.parametrize("shell", [None, "/bin/sh", "/bin/bash"])  # sh may stay between DVC and the stage
@pytest.mark.parametrize(
    ("command", "number"),
    [
        (["-m", "dvc", "repro"], signal.SIGKILL),
        (["-m", "dvc", "repro"], signal.SIGTERM),
        (["-c", SIDE_BY_SIDE], signal.SIGTERM),
    ],
)
def test_a_stage_ends_in_order_with_what_runs_it(project, command, number, shell, monkeypatch):
    if shell:
        monkeypatch.setenv("SHELL", shell)
    else:
        monkeypatch.delenv("SHELL", raising=False)
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = project / "pid"
    while not (pid.is_file() and pid.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    stage = psutil.Process(int(pid.read_text()))
    process.send_signal(number)
    assert process.wait(timeout=20) in (-number, 128 + number)
    deadline = time.monotonic() + 20
    while stage.is_running() and stage.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (project / "ended").exists()
    assert not stage.is_running() or stage.status() == psutil.STATUS_ZOMBIE


def test_a_stage_that_a_shell_runs_outlives_the_shell(project):
    """As with nohup: only what DVC runs ends with it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    subprocess.run(["sh", "-c", f"{sys.executable} stage.py & sleep 1"], env=environment, check=True)
    pid = project / "pid"
    for _ in range(200):
        if pid.is_file() and pid.read_text():
            break
        time.sleep(0.05)
    stage = psutil.Process(int(pid.read_text()))
    time.sleep(0.5)
    assert not (project / "ended").exists()
    stage.terminate()
    for _ in range(200):
        if (project / "ended").exists():
            break
        time.sleep(0.05)
    assert (project / "ended").exists()


AT_EXIT = """
import atexit, os, signal, sys
from stages import cli

atexit.register(os.kill, os.getpid(), signal.SIGTERM)
cli.run(lambda: sys.exit(1))
"""


def test_a_signal_while_python_exits_ends_it_without_a_traceback(project):
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
