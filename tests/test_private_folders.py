"""What listens or is written for a moment is the user's alone."""

import os
import stat
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from metabin.tracking import models
from metabin.tracking.ui import find_ui
from stages import fork_client


@pytest.fixture
def open_umask(tmp_path, monkeypatch):
    """A umask that forbids nothing, and a folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no fork server")
def test_only_the_user_reaches_the_socket_of_the_fork_server(open_umask, monkeypatch):
    server = SimpleNamespace(communicate=lambda: None)  # the folder is there before the server
    monkeypatch.setattr(fork_client.subprocess, "Popen", lambda *_, **__: server)
    with fork_client.fork_server():
        assert rights(Path(os.environ[fork_client.ADDRESS]).parent) == 0o700


def test_only_the_user_reads_a_downloaded_model(open_umask, monkeypatch):
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", lambda dst_path, **_: dst_path)
    assert rights(models._fetch("mlflow-artifacts:/1", "http://127.0.0.1:9")) == 0o700


def test_the_ui_listens_on_this_machine_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command = find_ui(5000).command
    assert command[command.index("--host") + 1] == "127.0.0.1"
