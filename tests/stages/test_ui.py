"""`make ui`: the MLflow page on a port of the user's choice."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import mlflow_server
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Set the interpreter of the tests and a project root of its own."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "project").mkdir()


@pytest.fixture
def busy_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def make_ui(*arguments):
    """Return the command `make ui` without the installation."""
    return (shutil.which("make"), "--no-print-directory", "--old-file=setup", "ui", *arguments)


def ui(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "stages.tools.ui", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_make_ui_serves_the_experiment_on_the_given_port(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    port, log = mlflow_server.free_port(), tmp_path / "log.txt"
    with mlflow_server.started(make_ui(f"PORT={port}"), port, log):
        url = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get-by-name?experiment_name=metabin"
        with urllib.request.urlopen(url, timeout=30) as reply:
            experiment = json.load(reply)["experiment"]
    number = experiment["experiment_id"]
    assert f"http://127.0.0.1:{port}/#/experiments/{number}/runs?workflowType=machine_learning" in log.read_text()
    assert experiment["artifact_location"] == (tmp_path / "project/.mlflow/artifacts").as_uri()


@pytest.mark.bad_input("command line")
def test_a_busy_port_is_named_with_the_command_for_another_one(environment, busy_port):
    done = subprocess.run(make_ui(f"PORT={busy_port}"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    line = done.stderr.splitlines()[0]
    assert line.startswith(f"error: port {busy_port} is in use by another program")
    other = int(line.rpartition("make ui PORT=")[2])
    assert other > busy_port
    assert "http://" not in done.stdout


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_value_that_is_not_a_port_is_refused(environment, port):
    done = ui(f"--port={port}")
    assert done.returncode == 2
    assert f"'{port}' is not a port; expected a number from 1 to 65535" in done.stderr


def test_without_a_port_make_uses_5000():
    command = (*make_ui(), "--dry-run")
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "PORT": "1"}
    )
    assert done.stdout.splitlines()[-1] == "python -m stages.tools.ui --port 5000"


def test_runs_on_a_server_are_shown_there(environment, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    done = ui(f"--port={mlflow_server.free_port()}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "https://mlflow.example.org" in done.stdout


def test_a_store_that_cannot_be_opened_is_named(environment, tmp_path):
    (tmp_path / "project/.mlflow").mkdir()
    (tmp_path / "project/.mlflow/mlflow.db").write_text("not a database " * 100)
    done = ui(f"--port={mlflow_server.free_port()}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the MLflow store sqlite:///{tmp_path}/project/.mlflow/mlflow.db cannot be")
    assert "file is not a database" in done.stderr
    assert len(done.stderr.splitlines()) == 1
