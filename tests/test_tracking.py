"""Records of runs, in a real SQLite store in a temporary folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_client import client_of

from metabin.errors import ConfigError
from metabin.tracking import Run, delivery, open_run

HERE = Path(__file__).resolve().parents[1]
ENVIRONMENT = ("DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "DVC_STAGE")


@pytest.fixture
def fresh_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root that DVC names in the environment, while the working directory is another folder."""
    for name in (*ENVIRONMENT, "MLFLOW_TRACKING_URI", "METABIN_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    folder, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("DVC_EXP_NAME", "wide-net")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")
    monkeypatch.setenv("DVC_STAGE", "train@grid")
    return folder


@pytest.fixture
def root(fresh_root: Path, empty_database: Path) -> Path:
    """A project root whose store has been used before."""
    (fresh_root / ".mlflow").mkdir()
    shutil.copy(empty_database, fresh_root / ".mlflow")
    return fresh_root


@pytest.fixture
def no_warning(caplog: pytest.LogCaptureFixture) -> Callable[[], None]:
    """A check that tracking has logged no failure, which it would not raise."""

    def check() -> None:
        assert [record.message for record in caplog.records if record.name == "metabin.tracking"] == []

    return check


def stored(root: Path) -> Any:
    return client_of(f"sqlite:///{root / '.mlflow/mlflow.db'}")


def runs(root: Path, kind: str) -> list[Any]:
    client = stored(root)
    experiment = client.get_experiment_by_name("metabin")
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'", order_by=["start_time ASC"]))


def wait_until(check: Callable[[], bool]) -> None:
    """Wait for the thread that delivers records."""
    end = time.monotonic() + 60
    while True:
        with suppress(AttributeError, IndexError):  # the experiment or its run does not exist yet
            if check():
                return
        assert time.monotonic() < end
        time.sleep(0.05)


def python(code: str, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(HERE), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_store_is_at_dvc_root_and_outlives_the_working_directory(fresh_root, tmp_path, monkeypatch, no_warning):
    Path("weights.txt").write_text("w")
    with open_run("train", "grid") as run:
        run.file(Path("weights.txt"), "model")
    assert list(Path.cwd().iterdir()) == [Path.cwd() / "weights.txt"], "MLflow wrote into the working directory"
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "elsewhere")
    child = runs(fresh_root, "train")[0]
    assert child.info.artifact_uri.startswith((fresh_root / ".mlflow" / "artifacts").as_uri())
    assert Path(stored(fresh_root).download_artifacts(child.info.run_id, "model/weights.txt")).read_text() == "w"
    no_warning()


def test_a_child_has_the_parent_of_its_experiment(root, no_warning):
    with open_run("train", "grid", tags={"fold": "grid", "seed": "3"}):
        wait_until(lambda: runs(root, "parent")[0].info.status == "RUNNING")
    with open_run("train", "mill", name="MetaBIN, mill held out"):
        pass
    (parent,), (train, named) = (runs(root, kind) for kind in ("parent", "train"))
    assert parent.info.run_name == "wide-net"
    assert parent.info.status == train.info.status == "FINISHED"
    assert (train.info.run_name, named.info.run_name) == ("grid, wide-net", "MetaBIN, mill held out, wide-net")
    assert train.data.tags["mlflow.parentRunId"] == named.data.tags["mlflow.parentRunId"] == parent.info.run_id
    expected = {"dvc.stage": "train@grid", "dvc.exp_name": "wide-net", "title": "grid", "fold": "grid", "seed": "3"}
    assert expected.items() <= train.data.tags.items()
    no_warning()


def test_the_same_name_on_another_baseline_gets_another_parent(root, monkeypatch):
    with open_run("parent"):
        pass
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "fedcba9876543210")
    with open_run("parent"):
        pass
    assert len(runs(root, "parent")) == 2


def test_plain_repro_has_a_parent_for_each_set_of_parameters_named_after_the_changes(root, monkeypatch):
    monkeypatch.delenv("DVC_EXP_NAME")
    Path("params.yaml").write_text("meta: {inner_lr: 1.0}")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    for text in ("meta: {inner_lr: 1.0}  # the same", "meta: {inner_lr: 0.1}"):
        Path("params.yaml").write_text(text)
        with open_run("parent"):
            pass
    first, second = runs(root, "parent")
    assert (first.info.run_name, second.info.run_name) == ("default", "inner_lr=0.1")
    assert first.data.tags["dvc.parent_key"].startswith("repro-")
    assert first.data.tags["dvc.parent_key"] != second.data.tags["dvc.parent_key"]


def test_metrics_keep_their_steps_and_values(root, no_warning):
    with open_run("train", "grid") as run:
        for step in range(700):
            run.metrics({"base/triplet": step / 2, "odd[0]@//../key": 1.0}, step)
        run.metrics({"base/triplet": float("nan")}, 700)
    child = runs(root, "train")[0]
    history = stored(root).get_metric_history(child.info.run_id, "base/triplet")
    assert [(point.step, point.value) for point in history] == [(step, step / 2) for step in range(700)]
    assert child.data.metrics["odd_0__/key"] == 1.0
    assert child.data.tags["not_finite.base/triplet"] == "step 700"
    no_warning()


def test_metrics_are_written_during_the_run(root, monkeypatch):
    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 0.1)
    with open_run("train", "grid") as run:
        run.metrics({"loss": 1.0}, 0)
        wait_until(lambda: "loss" in runs(root, "train")[0].data.metrics)


def test_a_short_run_still_has_system_metrics(root):
    with open_run("train", "grid"):
        pass
    names = {name for name in runs(root, "train")[0].data.metrics if not name.startswith("system/gpu")}
    assert names == {
        "system/cpu_utilization_percentage",
        "system/system_memory_usage_megabytes",
        "system/system_memory_usage_percentage",
    }


def test_rho_is_recorded_as_numbers_and_pictures_for_each_step(root, no_warning):
    low = np.linspace(0, 0.4, 11)
    values = {"backbone.a": low, "backbone.b": np.ones(11), "backbone.c": np.ones(22)}
    with open_run("train", "grid") as run:
        run.rho(values, step=0)
        run.rho(values, step=25)
    child = runs(root, "train")[0]
    expected = {
        "rho/mean_stem": 0.2,
        "rho/frac_below_half": 0.25,
        "rho/all_mean": (0.2 + 1 + 2) / 4,
    }
    assert {key: child.data.metrics[key] for key in expected} == pytest.approx(expected)
    names = [Path(item.path).name for item in stored(root).list_artifacts(child.info.run_id, "images")]
    pictures = {name.split("+timestamp")[0] for name in names if "all layers" in name}
    assert {name.partition("+")[2] for name in pictures} == {"step+0", "step+25"}
    no_warning()


def test_a_table_can_be_loaded_and_is_replaced_when_it_is_written_again(root, no_warning):
    frame = pd.DataFrame({"grid": [0.5, np.nan]}, index=pd.Index(["grid", "mill"], name="held out"))
    for _ in range(2):
        with open_run("parent") as run:
            run.table("lodo/matrix", frame)
    (parent,) = runs(root, "parent")
    path = stored(root).download_artifacts(parent.info.run_id, "lodo/matrix.json")
    loaded = pd.read_json(path, orient="split")
    pd.testing.assert_frame_equal(loaded, frame.reset_index())
    assert json.loads(parent.data.tags["mlflow.loggedArtifacts"]) == [{"path": "lodo/matrix.json", "type": "table"}]
    no_warning()


def test_a_dataset_keeps_its_digest_source_and_context(root, no_warning):
    manifest = pd.DataFrame({"path": ["a.png", "b.png"], "pid": [1, 2]})
    with open_run("train", "grid") as run:
        run.dataset(manifest, name="mill", digest="0123abcd", source="data/raw/mill", context="train")
    (entry,) = runs(root, "train")[0].inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("mill", "0123abcd")
    assert "data/raw/mill" in entry.dataset.source
    assert json.loads(entry.dataset.profile)["num_rows"] == 2
    assert [tag.value for tag in entry.tags] == ["train"]
    no_warning()


def test_parameters_are_flattened_and_long_ones_cut(root, no_warning):
    many = {f"p{i}": i for i in range(150)}
    with open_run("train", "grid") as run:
        run.params({"meta": {"inner_lr": 1e-5, "split": [1, 2]}, "long": "x" * 7000, **many})
    params = runs(root, "train")[0].data.params
    assert (params["meta.inner_lr"], params["meta.split"], params["p149"]) == ("1e-05", "[1, 2]", "149")
    assert params["long"] == "x" * 5997 + "..."
    no_warning()


def test_parameters_of_a_reopened_parent_stay_and_a_change_only_warns(root, caplog):
    for lr in (0.1, 0.1, 0.2):
        with open_run("parent") as run:
            run.params({"lr": lr})
            run.note("report")
    (parent,) = runs(root, "parent")
    assert parent.data.params == {"lr": "0.1"}
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["mlflow.note.content"] == "report"
    assert [record.message for record in caplog.records] == ["parameter lr stays 0.1 in MLflow: 0.2 came later"]


def test_a_stage_that_runs_again_supersedes_its_earlier_run(root, no_warning):
    for name in ("grid/bn", "grid/metabin", "grid/bn"):
        with open_run("train", name, tags={"fold": "grid"}):
            pass
    tags = [(run.data.tags["title"], run.data.tags["superseded"]) for run in runs(root, "train")]
    assert tags == [("grid/bn", "true"), ("grid/metabin", "false"), ("grid/bn", "false")]
    no_warning()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("loss is nan"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),  # by SIGTERM
        (SystemExit(1), "FAILED"),
        (SystemExit(0), "FINISHED"),
    ],
)
def test_the_status_is_the_outcome_of_the_block(root, error, status):
    with pytest.raises(type(error)), open_run("train", "grid") as run:
        run.metrics({"loss": 1.0}, 0)
        raise error
    child = runs(root, "train")[0]
    assert child.info.status == runs(root, "parent")[0].info.status == status
    assert child.data.metrics["loss"] == 1.0
    assert child.data.tags.get("error") == (
        None if status == "FINISHED" else f"{type(error).__name__}: {error}".rstrip(": ")
    )


def test_a_kill_while_the_database_is_created_leaves_none_and_the_next_run_creates_it(
    fresh_root, monkeypatch, no_warning
):
    from metabin.tracking import store

    class Killed(BaseException):
        pass

    class Client(store.import_mlflow()):
        def search_experiments(self, *args, **kwargs):
            raise Killed  # after MLflow has created its tables

    with monkeypatch.context() as patch:
        patch.setattr(store, "import_mlflow", lambda: Client)
        with pytest.raises(Killed), open_run("parent"):
            pass
    assert not (fresh_root / ".mlflow/mlflow.db").exists()
    (fresh_root / ".mlflow/.mlflow.db.1.partial").write_bytes(b"half")
    with open_run("parent"):
        pass
    assert len(runs(fresh_root, "parent")) == 1
    assert not list((fresh_root / ".mlflow").glob(".*"))
    no_warning()


def use_everything(run: Run) -> None:
    run.params({"a": 1})
    for step in range(600):
        run.metrics({"loss": 1.0}, step)
    run.rho({"a": np.ones(4)}, 0)
    run.table("t", pd.DataFrame({"a": [1]}))
    run.file(Path(__file__))
    run.tags({"a": "b"})
    run.note("x")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("broken", ["root is a file", "not a database", "server is down"])
def test_a_broken_store_costs_one_warning_and_some_seconds(fresh_root, broken, monkeypatch, caplog):
    if broken == "root is a file":
        (fresh_root / ".mlflow").write_text("")
    elif broken == "not a database":
        (fresh_root / ".mlflow").mkdir()
        (fresh_root / ".mlflow" / "mlflow.db").write_text("not a database " * 100)
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    started = time.monotonic()
    with open_run("train", "grid") as run:
        use_everything(run)
    assert time.monotonic() - started < 15
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["metabin.tracking"]


def test_a_long_note_is_cut_and_the_run_continues(root, no_warning):
    with open_run("parent") as run:
        run.note("x" * 30_000)
        run.metrics({"dg/mean_mAP": 0.5})
    (parent,) = runs(root, "parent")
    assert 7_000 < len(parent.data.tags["mlflow.note.content"]) <= 8_000
    assert parent.data.metrics == {"dg/mean_mAP": 0.5}
    no_warning()


def test_a_store_that_breaks_during_the_run_costs_one_warning(root, monkeypatch, caplog):
    from mlflow import MlflowClient

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    with open_run("train", "grid") as run:
        monkeypatch.setattr(MlflowClient, "log_batch", fail)
        monkeypatch.setattr(MlflowClient, "set_terminated", fail)
        use_everything(run)
    messages = [record.message for record in caplog.records]
    assert len(messages) == 1
    assert "disk full" in messages[0]


def test_a_missing_file_costs_a_warning_and_no_other_record(root, caplog):
    with open_run("train", "grid") as run:
        run.file(root / "absent.txt")
        run.metrics({"loss": 1.0}, 0)
    assert runs(root, "train")[0].data.metrics["loss"] == 1.0
    assert "absent.txt" in caplog.text


def test_the_off_switch_imports_no_mlflow_and_writes_nothing(fresh_root):
    code = (
        "import sys\nfrom metabin.tracking import open_run\n"
        "with open_run('train', 'grid') as run:\n"
        "    run.params({}); run.metrics({'a': 1}, 0); run.rho({}, 0); run.tags({}); run.note('')\n"
        "print('mlflow' in sys.modules)"
    )
    process = python(code, METABIN_TRACKING="off")
    assert process.communicate(timeout=60) == ("False\n", "")
    assert list(fresh_root.iterdir()) == []


def test_an_unknown_switch_is_refused(root, monkeypatch):
    monkeypatch.setenv("METABIN_TRACKING", "maybe")
    with pytest.raises(ConfigError, match="METABIN_TRACKING is 'maybe'"), open_run("parent"):
        pass


def test_importing_tracking_imports_nothing_heavy():
    heavy = "{'mlflow', 'torch', 'numpy', 'pandas', 'matplotlib', 'filelock'}"
    process = python(f"import sys, metabin.tracking; print({heavy} & set(sys.modules))")
    assert process.communicate(timeout=60) == ("set()\n", "")


def test_a_run_prints_nothing(root, capfd):
    with open_run("train", "grid") as run:
        use_everything(run)
    assert capfd.readouterr() == ("", "")
