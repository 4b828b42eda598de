"""A run is dirty if the code that decides its result differs from the commit."""

import subprocess

import pytest

from metabin.repository import CODE, run_git
from metabin.tracking.provenance import git_dirty


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one committed file of each kind, as the working directory."""
    names = ("metabin/model/net.py", "metabin/report/template.html", "stages/train.py", "docs/method.md")
    for name in (*names, "tests/test_net.py", "params.yaml", *(name for name in CODE if "." in name)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("committed")
    (tmp_path / ".gitignore").write_text("__pycache__\nmodels\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "--quiet"), ("add", "."), (*author, "commit", "--quiet", "-m", "first")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_fresh_commit_is_clean(repository):
    assert git_dirty() == "false"


@pytest.mark.parametrize(
    "name",
    ["metabin/model/net.py", "metabin/report/template.html", "stages/train.py", "dvc.yaml", "requirements.lock"],
)
def test_a_change_of_the_code_is_dirty(repository, name):
    (repository / name).write_text("changed")
    assert git_dirty() == "true"
    subprocess.run(["git", "add", name], check=True)
    assert git_dirty() == "true"  # also when it is staged


def test_a_deleted_or_a_new_file_of_code_is_dirty(repository):
    new = repository / "metabin/model/new.py"
    new.write_text("not committed")
    assert git_dirty() == "true"
    new.unlink()
    (repository / "stages/train.py").unlink()
    assert git_dirty() == "true"


def test_parameters_outputs_documents_and_tests_are_not_code(repository):
    for name in ("params.yaml", "docs/method.md", "tests/test_net.py"):
        (repository / name).write_text("changed")
    for name in ("models/model.safetensors", "results/scores.csv", "metabin/__pycache__/net.pyc"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("new")
    assert git_dirty() == "false"


def test_a_stage_in_a_folder_below_sees_the_code_of_the_whole_repository(repository, monkeypatch):
    monkeypatch.chdir(repository / "docs")
    assert git_dirty() == "false"
    (repository / "metabin/model/net.py").write_text("changed")
    assert git_dirty() == "true"


def test_without_a_repository_or_without_git_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_dirty() == "unknown"
    assert run_git("status") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_dirty() == "unknown"
