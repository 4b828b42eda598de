"""Passwords and tokens of addresses are in no message, log, record or list of processes."""

import logging
import subprocess
from configparser import ConfigParser
from dataclasses import replace

import pytest

from metabin.addresses import hide_credentials
from metabin.errors import ConfigError, DatasetError, UserError
from metabin.report.provenance import provenance
from metabin.tracking import open_run
from metabin.tracking.ui import find_ui
from stages import cli

SECRET = "s3cr3t"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository whose remote has a token in its address, as CI systems set it, with a store of its own."""
    for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_STAGE", "MLFLOW_TRACKING_URI", "METABIN_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "params.yaml").write_text("a: 1\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    remote = f"https://x-access-token:{SECRET}@example.org/a.git"
    commands = (("init", "--quiet"), ("remote", "add", "origin", remote), ("add", "."),
                (*author, "commit", "--quiet", "-m", "first"))  # fmt: skip
    for command in commands:
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (f"at https://mira:{SECRET}@host:5000/x failed", "at https://***@host:5000/x failed"),
        (f"https://{SECRET}@host/a.git", "https://***@host/a.git"),  # a token alone
        (f"https://{SECRET}:x-oauth-basic@host/a.git", "https://***@host/a.git"),  # a token as the user
        (f"postgresql+psycopg://u:p%40{SECRET}@db:5432/x", "postgresql+psycopg://***@db:5432/x"),
        (f"postgresql://u:p/{SECRET}@a@db/x", "postgresql://***@db/x"),
        (f"'https://h/x?a=1&X-Amz-Signature={SECRET}&b=2'", "'https://h/x?a=1&X-Amz-Signature=***&b=2'"),
        (f"https://h/x?sv=1&sig={SECRET}#top", "https://h/x?sv=1&sig=***#top"),
        (f"postgresql://db/x?user=a&password={SECRET}", "postgresql://db/x?user=a&password=***"),
        (f"https://h/x?access_token={SECRET}", "https://h/x?access_token=***"),
    ],
)
def test_credentials_in_an_address_are_hidden(address, expected):
    assert hide_credentials(address) == expected
    assert str(UserError(address)) == expected
    assert hide_credentials(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://host:5000/a@b", "https://host/a@b?x=1", "sqlite:////home/a:b@c/mlflow.db", "a@b: mail", "x?design=1",
        "models:/metabin@champion", "file:///C:/a@b", "the keys token=1 of a table",
    ],
)  # fmt: skip
def test_other_texts_stay_as_they_are(text):
    assert hide_credentials(text) == text


def test_a_stage_prints_no_credentials(capsys):
    def main():
        raise ConfigError(f"remote https://mira:{SECRET}@host cannot be reached")

    with pytest.raises(SystemExit):
        cli.run(main)
    assert capsys.readouterr().err == "error: remote https://***@host cannot be reached\n"


def test_records_logs_and_provenance_of_a_run_have_no_credentials(project, caplog):
    error = f"no connection to postgresql://mira:{SECRET}@db/x"
    with caplog.at_level(logging.DEBUG), pytest.raises(RuntimeError), open_run("train", "a") as run:
        run.params({"lr": 0.1})
        raise RuntimeError(error)
    store = project / ".mlflow"
    content = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    assert b"no connection to postgresql://***@db/x" in content  # the search would find it
    assert SECRET.encode() not in content
    assert SECRET not in caplog.text
    assert SECRET not in repr(provenance({}, {}, project))


def test_a_warning_of_tracking_has_no_credentials(project, caplog, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://mira:{SECRET}@127.0.0.1:9")
    with caplog.at_level(logging.DEBUG), open_run("train", "a"):
        pass
    assert "is not recorded in MLflow" in caplog.text
    assert SECRET not in caplog.text
    waiting = b"".join(path.read_bytes() for path in (project / ".records").rglob("*") if path.is_file())
    assert waiting
    assert SECRET.encode() not in waiting


def test_the_process_of_the_ui_shows_no_password_of_its_store(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db?password={SECRET}")
    ui = find_ui(5000)
    assert ui.command
    assert SECRET not in repr(ui.command)
    assert ui.variables["MLFLOW_BACKEND_STORE_URI"].endswith(SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://mira:{SECRET}@mlflow.example.org")
    assert find_ui(5000).address == "https://***@mlflow.example.org"


def test_a_download_logs_no_credentials_of_its_address(tmp_path, monkeypatch):
    from metabin.data.acquisition import fetch, obtain
    from metabin.data.readers import grid

    url = f"http://mira:{SECRET}@127.0.0.1:9/set.zip?token={SECRET}"  # the discard port: nothing answers
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(grid, "ARCHIVE", replace(grid.ARCHIVE, url=url))
    monkeypatch.setattr(fetch, "PAUSES", ())
    monkeypatch.setattr(fetch.fetch, "__kwdefaults__", {"pauses": ()})
    lines = []
    with pytest.raises(DatasetError, match="cannot be fetched") as error:
        obtain.obtain("grid", tmp_path, None, lines.append)
    assert "http://***@127.0.0.1:9/set.zip?token=***" in lines[0]
    assert SECRET not in f"{lines}{error.value}"


def test_the_remotes_in_git_have_no_credentials_and_those_of_a_user_are_not_in_git(root):
    config = ConfigParser()
    config.read(root / ".dvc/config")
    for section in config.sections():
        assert not {"user", "password", "access_key_id", "secret_access_key", "token"} & config[section].keys()
        url = config[section].get("url", "")
        assert hide_credentials(url) == url
    for name in (".dvc/config.local", "examples/servers/.env"):
        subprocess.run(["git", "check-ignore", "--quiet", name], cwd=root, check=True)
