"""DVC's remote `private` in an S3 store and over SSH: push from one clone, pull in another."""

import os
import shutil

import pytest
from loopback import s3_store, ssh_server
from stages_in_clone import ROOT, run

PIPELINE = """\
stages:
  draw:
    cmd: mkdir -p data/raw && echo person > data/raw/1.txt
    outs:
      - data/raw: {remote: private}
"""
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.invalid")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A clone with the project's configuration of DVC, after `dvc repro` of one small stage with a private output."""
    folder = tmp_path_factory.mktemp("first")
    (folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc")
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / ".gitignore").write_text("/data/raw\n")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, *GIT, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def no_keys(monkeypatch, tmp_path):
    """An environment without keys of this machine's user."""
    for name in (*os.environ,):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def set_remote(clone, **options):
    """Write the remote as `dvc remote add --local` and `dvc remote modify --local` do."""
    lines = [f"    {name} = {value}" for name, value in options.items()]
    (clone / ".dvc" / "config.local").write_text("\n".join(["['remote \"private\"']", *lines, ""]))


def push_and_pull(first, second, **options):
    """Push from a clone, pull in a new one, and check that nothing is left to run there."""
    set_remote(first, **options)
    assert "2 files pushed" in run(first, "dvc", "push").stdout
    run(first.parent, "git", "clone", "--quiet", str(first), str(second))
    set_remote(second, **options)
    assert "2 files fetched" in run(second, "dvc", "pull").stdout
    assert (second / "data/raw/1.txt").read_text() == "person\n"
    lock = (second / "dvc.lock").read_bytes()
    assert "Data and pipelines are up to date." in run(second, "dvc", "repro").stdout
    assert (second / "dvc.lock").read_bytes() == lock


def test_a_clone_that_pulls_from_an_s3_store_has_nothing_to_run_and_dvc_names_what_is_wrong(
    first, tmp_path, monkeypatch, no_keys
):
    with s3_store("private") as store:
        options = {"url": "s3://private/metabin", "endpointurl": store.endpoint}
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        message = refused(first, **options)
        assert "Forbidden" in message
        assert "wrong" not in message
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secret)
        assert "The specified bucket does not exist" in refused(first, **options | {"url": "s3://other/metabin"})
        push_and_pull(first, tmp_path / "second", **options)


def refused(clone, **options):
    """Return the message of `dvc push`, which fails, without a trace and on one line."""
    set_remote(clone, **options)
    done = run(clone, "dvc", "push", check=False)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert "Traceback" not in done.stderr
    return line


def test_a_clone_that_pulls_over_ssh_has_nothing_to_run(first, tmp_path, no_keys):
    with ssh_server(tmp_path) as (port, key):
        url = f"ssh://team@127.0.0.1:{port}{tmp_path / 'store'}"
        push_and_pull(first, tmp_path / "second", url=url, keyfile=key)
