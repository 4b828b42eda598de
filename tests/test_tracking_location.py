"""The location of the store: relative addresses, and projects that were moved or copied."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow_client import client_of

from metabin.tracking import open_run, store
from metabin.tracking.location import Location, absolute_uri, is_foreign, locate, repair_paths

ROOT = Path("/projects/re id")
ARTIFACTS = ROOT / ".mlflow/artifacts"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///mlflow.db", "sqlite:////projects/re id/mlflow.db"),
        ("sqlite:///./a/mlflow.db?timeout=9", "sqlite:////projects/re id/a/mlflow.db?timeout=9"),
        ("sqlite:///../mlflow.db", "sqlite:////projects/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("./mlruns", "file:///projects/re%20id/mlruns"),
        ("mlruns", "file:///projects/re%20id/mlruns"),
        ("/data/mlruns", "file:///data/mlruns"),
        ("file:mlruns", "file:///projects/re%20id/mlruns"),
        ("file:./my%20runs", "file:///projects/re%20id/my%20runs"),
        ("file:///data/mlruns", "file:///data/mlruns"),
        ("file://host/share/mlruns", "file://host/share/mlruns"),
        ("https://mlflow.example.org", "https://mlflow.example.org"),
        ("databricks", "databricks"),
        ("postgresql://user@host/runs", "postgresql://user@host/runs"),
    ],
)
def test_a_relative_path_of_a_tracking_uri_starts_at_the_root(uri, expected):
    assert absolute_uri(uri, ROOT) == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (" ", Location(f"sqlite:///{ROOT}/.mlflow/mlflow.db", ARTIFACTS, ROOT / ".mlflow/mlflow.db")),
        (
            "sqlite:////a/b.db?timeout=9",
            Location("sqlite:////a/b.db?timeout=9", ARTIFACTS, Path("/a/b.db")),
        ),
        ("file:///a/mlruns", Location("file:///a/mlruns", ARTIFACTS, None)),
        (" https://mlflow.example.org ", Location("https://mlflow.example.org", None, None)),
    ],
)
def test_a_server_decides_where_files_are_and_other_stores_use_the_project(uri, expected, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert locate(ROOT) == expected


def test_a_database_that_does_not_exist_is_not_created_by_its_repair(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / ".mlflow").mkdir()
    repair_paths(locate(tmp_path), tmp_path, "metabin")
    assert not list((tmp_path / ".mlflow").iterdir())


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("file:///projects/re%20id/.mlflow/artifacts", False),
        ("file:///old/place/.mlflow/artifacts", True),
        ("/old/place/.mlflow/artifacts", True),
        ("file:///data/artifacts", False),  # chosen by the user
        ("mlflow-artifacts:/1", False),
        ("s3://bucket/.mlflow/artifacts", False),
    ],
)
def test_only_the_folder_of_another_project_is_foreign(location, expected):
    assert is_foreign(location, ARTIFACTS) is expected


@pytest.fixture
def project(tmp_path, empty_database, monkeypatch):
    """Functions on a project `old` that has recorded one run: `use` a folder as the project's root, `record` a run."""
    for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_STAGE", "MLFLOW_TRACKING_URI", "METABIN_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    old, elsewhere = tmp_path / "old", tmp_path / "elsewhere"
    (old / ".mlflow").mkdir(parents=True)
    shutil.copy(empty_database, old / ".mlflow")
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)  # as the temporary workspace of `dvc exp run --temp` is

    def use(root: Path) -> None:
        monkeypatch.setenv("DVC_ROOT", str(root))

    def record(name: str) -> None:
        Path("file.txt").write_text(name)
        with open_run("train", name) as run:
            run.metrics({"loss": 1.0}, 0)
            run.file(Path("file.txt"))
        Path("file.txt").unlink()

    use(old)
    return SimpleNamespace(old=old, new=tmp_path / "new place, 100%", elsewhere=elsewhere, use=use, record=record)


def trainings(database: Path) -> dict[str, Any]:
    client = client_of(f"sqlite:///{database}")
    runs = client.search_runs([client.get_experiment_by_name("metabin").experiment_id], "tags.kind = 'train'")
    return {run.data.tags["title"]: run for run in runs}


def content(database: Path, name: str) -> str:
    client = client_of(f"sqlite:///{database}")
    return Path(client.download_artifacts(trainings(database)[name].info.run_id, "file.txt")).read_text()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_moved_project_finds_its_old_files_and_writes_new_ones_in_its_own_folder(project, caplog):
    project.record("before")
    before = trainings(project.old / ".mlflow/mlflow.db")["before"]
    client = client_of(f"sqlite:///{project.old / '.mlflow/mlflow.db'}")
    client.create_registered_model("network")
    client.create_model_version("network", f"{before.info.artifact_uri}/file.txt", before.info.run_id)
    project.old.rename(project.new)
    project.old.write_text("no folder can be made here")
    project.use(project.new)
    project.record("after")
    database, artifacts = project.new / ".mlflow/mlflow.db", project.new / ".mlflow/artifacts"
    assert [content(database, name) for name in ("before", "after")] == ["before", "after"]
    for run in trainings(database).values():
        assert run.info.artifact_uri.startswith(f"{artifacts.as_uri()}/")
        assert (artifacts / run.info.run_id / "artifacts/file.txt").is_file()
    assert (
        client_of(f"sqlite:///{database}").get_model_version("network", "1").source.startswith(f"{artifacts.as_uri()}/")
    )
    assert project.old.is_file()
    assert caplog.messages == []


def test_a_copied_project_leaves_the_original_alone(project, caplog):
    project.record("before")
    shutil.copytree(project.old, project.new)
    original = {path: path.read_bytes() for path in files(project.old)}
    project.use(project.new)
    project.record("in the copy")
    assert {path: path.read_bytes() for path in files(project.old)} == original
    database = project.new / ".mlflow/mlflow.db"
    assert all(project.new.as_uri() in run.info.artifact_uri for run in trainings(database).values())
    assert [content(database, name) for name in ("before", "in the copy")] == ["before", "in the copy"]
    assert caplog.messages == []


def test_files_that_were_not_copied_stay_and_are_named(project, caplog):
    project.record("before")
    shutil.copytree(project.old, project.new, ignore=shutil.ignore_patterns("artifacts"))
    left = files(project.old / ".mlflow/artifacts")
    assert left
    project.use(project.new)
    for name in ("first", "second"):
        project.record(name)
    assert files(project.old / ".mlflow/artifacts") == left
    (message,) = caplog.messages
    folders = project.old / ".mlflow/artifacts", project.new / ".mlflow/artifacts"
    assert f"the files of 1 earlier MLflow runs are still in {folders[0]}" in message
    command = message.split("`")[1]
    assert os.waitstatus_to_exitcode(os.system(command)) == 0
    assert content(project.new / ".mlflow/mlflow.db", "before") == "before"


def test_a_link_to_the_project_is_no_move(project, caplog):
    project.record("before")
    project.new.symlink_to(project.old)
    project.use(project.new)
    project.record("through the link")
    runs = trainings(project.old / ".mlflow/mlflow.db").values()
    assert all(project.old.as_uri() in run.info.artifact_uri for run in runs)
    assert caplog.messages == []


def test_a_relative_database_lies_at_the_root_and_not_in_a_temporary_workspace(project, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    (project.old / ".mlflow/mlflow.db").rename(project.old / "mlflow.db")
    project.record("one")
    assert list(project.elsewhere.iterdir()) == []
    assert content(project.old / "mlflow.db", "one") == "one"
    project.old.rename(project.new)
    project.use(project.new)
    project.record("two")
    assert [content(project.new / "mlflow.db", name) for name in ("one", "two")] == ["one", "two"]
    assert not project.old.exists()
    assert caplog.messages == []


def test_a_relative_file_store_lies_at_the_root(project, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    project.record("one")
    assert list(project.elsewhere.iterdir()) == []
    assert list((project.old / "mlruns").rglob("loss"))
    assert caplog.messages == []


def test_a_database_that_two_projects_share_keeps_its_paths_until_their_folder_is_gone(project, tmp_path, monkeypatch):
    shared = tmp_path / "shared.db"
    (project.old / ".mlflow/mlflow.db").rename(shared)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}")
    project.record("one")
    project.use(project.new)
    project.record("two")
    assert all(project.old.as_uri() in run.info.artifact_uri for run in trainings(shared).values())
    shutil.rmtree(project.old)
    project.record("three")
    assert not project.old.exists()
    assert content(shared, "three") == "three"


def test_a_folder_of_another_machine_is_not_made_and_the_warning_names_the_remedy(project, monkeypatch, caplog):
    project.record("one")
    database = project.old / ".mlflow/mlflow.db"
    shutil.copy(database, project.elsewhere)
    shutil.rmtree(project.old)
    # A database server, such as PostgreSQL: its paths cannot be changed, as other machines may use them.
    place = Location(f"sqlite:///{project.elsewhere / 'mlflow.db'}", project.new / ".mlflow/artifacts", None)
    monkeypatch.setattr(store, "locate", lambda root: place)
    project.use(project.new)
    project.record("two")
    assert not project.old.exists()
    (message,) = caplog.messages
    assert message.startswith("two is not recorded in MLflow: FileNotFoundError: the experiment 'metabin' keeps")
    assert f"{project.old / '.mlflow/artifacts'}, which does not exist on this machine" in message
    assert "set MLFLOW_TRACKING_URI to its address" in message


def test_a_warning_holds_the_remedy_at_the_end_of_mlflow_s_message(project, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    project.record("one")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith("one is not recorded in MLflow: MlflowException: The filesystem tracking")
    assert "set `MLFLOW_ALLOW_FILE_STORE=true`" in record.message
    assert "`python -m stages.tools.deliver`" in record.message
    assert record.message.endswith("or set METABIN_TRACKING=off.")
