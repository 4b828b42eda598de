"""Outages of MLflow: a training goes on, waits at most 30 s, warns once, and no record is lost."""

import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow_server
import numpy as np
import pandas as pd
import pytest
from mlflow_client import client_of
from unreliable import proxy_of

from metabin.errors import UserError
from metabin.tracking import deliver_all, delivery, find_unrecorded, is_in_workspace, model_folder, open_run, store
from metabin.tracking.location import locate
from stages.tools import deliver

HERE = Path(__file__).resolve().parents[1]
WAIT = 3  # seconds, in place of 30
TITLE = "grid/metabin/seed-0"
CONFIG = {"fold": "grid", "method": "metabin", "seed": 0, "sha256": "0123", "step": 9}
CONFIG |= {"embedding_size": 8, "height": 32, "width": 16}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The port of an MLflow server."""
    with mlflow_server.serve(tmp_path_factory.mktemp("server")) as address:
        yield int(address.rpartition(":")[2])


@pytest.fixture
def root(tmp_path, empty_database, monkeypatch):
    return make_project(tmp_path, empty_database, monkeypatch)


def make_project(tmp_path, empty_database, monkeypatch):
    """A project with an empty store, and short waits."""
    for name in os.environ:
        if name.startswith(("DVC_", "MLFLOW_TRACKING", "METABIN_TRACKING")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_EXP_NAME", "outage")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    assert delivery.MAX_WAIT_SECONDS == 30
    monkeypatch.setattr(delivery, "MAX_WAIT_SECONDS", WAIT)
    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(model_folder, "LEFT_OUT", ("[!_]*",))  # each file of the model's code is a request to a server
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mlflow").mkdir()
    shutil.copy(empty_database, tmp_path / ".mlflow")
    folder = tmp_path / "training"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def train(root, *middle):
    """Record a training of every kind of record; call the functions in its middle; return how long it took."""
    start = time.monotonic()
    with open_run("train", TITLE, name="MetaBIN", tags={"fold": "grid"}) as run:
        run.params({"optim": {"lr": 0.01}})
        run.document("params.yaml", {"optim": {"lr": 0.01}})
        table = pd.DataFrame({"pid": [1, 2]})
        run.dataset(table, name="mill", digest="0123", source="data/mill", context="train")
        for step in range(600):
            run.metrics({"loss": 1 / (step + 1), "lr": 0.1}, step)
            if step == 300:
                for call in middle:
                    call()
                run.rho({"a": np.linspace(0, 1, 9)}, step)
        run.metrics({"loss": float("inf")}, 600)
        run.rho({"a": np.linspace(0.2, 1, 9)}, 600)
        run.table("rho/histograms", table)
        run.file(root / "training/config.json", "files")
        run.model(root / "training", {"source_mAP": 12.5})
    return time.monotonic() - start


def content(root):
    """All that the store has, without ids and without the use of the machine."""
    client = client_of(locate(root).uri)
    experiment = client.get_experiment_by_name(store.EXPERIMENT).experiment_id
    runs = client.search_runs([experiment])
    models = client.search_logged_models([experiment])
    return {
        "runs": sorted((content_of_run(client, run) for run in runs), key=str),
        "models": [(model.name, model.status, model.params, plain(model.tags)) for model in models],
        "scores": [(metric.key, metric.value, metric.step) for model in models for metric in model.metrics],
    }


def content_of_run(client, run):
    histories = {
        key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics if key[:6] != "system"
    }
    return {
        "status": run.info.status,
        "has_end": run.info.end_time >= run.info.start_time,
        "params": run.data.params,
        "tags": plain(run.data.tags),
        "metrics": {key: sorted((point.step, point.value) for point in points) for key, points in histories.items()},
        "files": sorted(files_of(client, run.info.run_id)),
        "datasets": [
            (item.dataset.name, item.dataset.digest, item.dataset.profile) for item in run.inputs.dataset_inputs
        ],
        "models": len(run.outputs.model_outputs) if run.outputs else 0,
    }


def plain(tags):
    return {key: text for key, text in tags.items() if key not in ("record", "mlflow.parentRunId")}


def files_of(client, run_id, folder=None):
    for item in client.list_artifacts(run_id, folder):
        if item.is_dir:
            yield from files_of(client, run_id, item.path)
        else:
            yield (item.path.partition("+timestamp")[0], item.path.rpartition(".")[2], item.file_size)


def runs_of(root, kind="train"):
    """A client, and the runs of a kind, the newest first."""
    client = client_of(locate(root).uri)
    experiment = client.get_experiment_by_name(store.EXPERIMENT).experiment_id
    return client, client.search_runs([experiment], f"tags.kind = '{kind}'", order_by=["start_time DESC"])


def waits(root):
    return [path for path in (root / ".records/runs").iterdir() if path.is_dir()]


def wait_until(check):
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, empty_database):
    """What the store has of a training without an outage."""
    with pytest.MonkeyPatch.context() as patch:
        project = make_project(tmp_path_factory.mktemp("undisturbed"), empty_database, patch)
        train(project)
        assert waits(project) == []
        found = content(project)
        (training,) = [run for run in found["runs"] if run["tags"]["kind"] == "train"]
        assert (training["status"], training["models"], len(training["metrics"]["loss"])) == ("FINISHED", 1, 600)
        return found


def deliver_rest(root):
    """Deliver what waits; a thread of this process may still deliver it, on a busy machine."""
    wait_until(lambda: deliver_all().delivered or not waits(root))
    wait_until(lambda: not waits(root))


def check_delivery(root, undisturbed, duration, caplog):
    """Deliver what waits; nothing is missing, and the outage cost one line and little time."""
    ended = time.time() * 1000
    assert duration < WAIT + 3
    (message,) = [record.message for record in caplog.records]
    assert message.startswith("MetaBIN, outage is not recorded in MLflow: ")
    assert "`python -m stages.tools.deliver`" in message and "\n" not in message
    deliver_rest(root)
    assert content(root) == undisturbed
    client, (run,) = runs_of(root)
    times = [point.timestamp for point in client.get_metric_history(run.info.run_id, "loss")]
    assert sorted((run.info.start_time, min(times), max(times), run.info.end_time, ended)) == [
        *(run.info.start_time, min(times), max(times), run.info.end_time, ended)
    ]


@pytest.mark.parametrize("mode", ["hang", "cut", "slow"])
@pytest.mark.parametrize("moment", ["start", "middle"])
def test_a_server_that_fails_costs_no_record(root, server, undisturbed, monkeypatch, caplog, mode, moment):
    monkeypatch.setattr(store, "EXPERIMENT", f"{mode}-{moment}")
    with proxy_of(server) as proxy:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{proxy.port}")

        def fail():
            if moment == "middle":
                wait_until(lambda: list(root.glob(".records/runs/*/delivered.json")))
            proxy.mode = mode

        if moment == "start":
            fail()
        duration = train(root, *([fail] if moment == "middle" else []))
        proxy.mode = "pass"
        check_delivery(root, undisturbed, duration, caplog)


def test_a_server_that_comes_back_receives_everything_without_a_command(root, server, undisturbed, monkeypatch, caplog):
    monkeypatch.setattr(store, "EXPERIMENT", "comes-back")
    monkeypatch.setattr(delivery, "MAX_WAIT_SECONDS", 60)
    with proxy_of(server) as proxy:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{proxy.port}")
        proxy.mode = "cut"

        def come_back():
            wait_until(lambda: caplog.records)
            proxy.mode = "pass"

        train(root, come_back)
        assert waits(root) == []
        assert content(root) == undisturbed
        assert len(caplog.records) == 1


@contextmanager
def a_folder(database):
    database.rename(database.with_suffix(".backup"))
    database.mkdir()
    yield
    database.rmdir()
    database.with_suffix(".backup").rename(database)


@contextmanager
def no_writer(database):
    """Let no transaction go on, which would write its own pages over those of the test."""
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def corrupt(database):
    with no_writer(database):
        good = database.read_bytes()
        database.write_bytes(good[:100] + b"x" * (len(good) - 100))
    yield
    database.write_bytes(good)


@contextmanager
def not_a_database(database):
    with no_writer(database):
        good = database.read_bytes()
        database.write_bytes(b"not a database " * 1000)
    yield
    database.write_bytes(good)


@contextmanager
def read_only(database):
    """A version of the format that SQLite may only read: permissions do not stop a test that root runs."""
    with no_writer(database):
        write_version(database, 3)
    yield
    write_version(database, 1)


def write_version(database, version):
    with database.open("r+b") as file:
        header = bytearray(file.read(28))
        header[18] = version
        header[27] ^= 128  # of the counter of changes: else a connection keeps the page that it has
        file.seek(0)
        file.write(header)


@contextmanager
def locked(database):
    connection = sqlite3.connect(database, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    yield
    connection.close()


@contextmanager
def full(database):
    """A disk without space for a database that grows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (database.stat().st_size, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


FAULTS = [a_folder, corrupt, not_a_database, read_only, locked, full]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("moment", ["start", "middle"])
def test_a_database_that_fails_costs_no_record(root, undisturbed, caplog, fault, moment):
    broken = fault(root / ".mlflow/mlflow.db")

    def fail():
        if moment == "middle":
            wait_until(lambda: list(root.glob(".records/runs/*/delivered.json")))
        broken.__enter__()

    if moment == "start":
        fail()
    duration = train(root, *([fail] if moment == "middle" else []))
    broken.__exit__(None, None, None)
    check_delivery(root, undisturbed, duration, caplog)


def test_a_database_that_was_deleted_meanwhile_is_created_and_has_the_whole_run(root, undisturbed):
    def delete():
        wait_until(lambda: list(root.glob(".records/runs/*/delivered.json")))
        (root / ".mlflow/mlflow.db").unlink()

    train(root, delete)
    wait_until(lambda: not waits(root))
    assert content(root) == undisturbed


def test_records_that_do_not_fit_on_the_disk_follow_when_there_is_space(root, undisturbed, monkeypatch, caplog):
    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 60)  # SQLite has space
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))

    def free():
        (path,) = root.glob(".records/runs/*/records.jsonl")
        assert path.stat().st_size <= 10_000
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    try:
        train(root, free)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    deliver_rest(root)
    assert content(root)["runs"] == undisturbed["runs"]


def python(code, **environment):
    environment = {**os.environ, "PYTHONPATH": str(HERE), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def outage(monkeypatch):
    """A server that is down, until the thread that delivers has ended."""
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
        yield
        wait_until(lambda: "tracking" not in {thread.name for thread in threading.enumerate()})


KILLED = """
import os, signal
from metabin.tracking import open_run
with open_run("train", "grid") as run:
    for step in range(50):
        run.metrics({"loss": float(step)}, step)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_training_that_was_killed_in_an_outage_is_delivered_as_killed(root):
    process = python(KILLED, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{closed_port()}")
    process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL
    assert deliver_all() == (["grid, outage"], [])
    client, (run,) = runs_of(root)
    _, (parent,) = runs_of(root, "parent")
    assert run.info.status == parent.info.status == "KILLED"
    assert run.data.tags["error"] == delivery.NO_END
    assert [point.value for point in client.get_metric_history(run.info.run_id, "loss")] == list(range(50))
    assert deliver_all() == ([], [])


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("loss is nan"), "FAILED"), (KeyboardInterrupt(), "KILLED")], ids=str
)
def test_a_training_that_failed_in_an_outage_is_delivered_with_its_status(root, monkeypatch, error, status):
    with outage(monkeypatch), pytest.raises(type(error)), open_run("train", "grid") as run:
        run.metrics({"loss": 1.0}, 0)
        raise error
    deliver_all()
    _, (run,) = runs_of(root)
    assert (run.info.status, run.data.metrics["loss"]) == (status, 1.0)
    assert run.data.tags["error"].startswith(type(error).__name__)


def test_a_line_that_a_kill_cut_off_is_left_out(root, monkeypatch):
    with outage(monkeypatch), open_run("train", "grid") as run:
        run.metrics({"loss": 1.0}, 0)
    (path,) = root.glob(".records/runs/*/records.jsonl")
    path.write_bytes(path.read_bytes()[:-5])  # of the record that ends the run
    deliver_all()
    _, (run,) = runs_of(root)
    assert (run.info.status, run.data.metrics["loss"]) == ("KILLED", 1.0)


def test_a_training_that_is_delivered_after_its_repetition_is_superseded(root, monkeypatch):
    with outage(monkeypatch), pytest.raises(RuntimeError), open_run("train", "grid"):
        raise RuntimeError("first")
    with open_run("train", "grid"):
        pass
    deliver_all()
    _, (second, first) = runs_of(root)
    states = [(run.info.status, run.data.tags["superseded"]) for run in (first, second)]
    assert states == [("FAILED", "true"), ("FINISHED", "false")]
    _, (parent,) = runs_of(root, "parent")
    assert parent.info.status == "FINISHED"


def test_a_training_that_goes_on_is_left_to_its_process(root, monkeypatch):
    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 60)
    with open_run("train", "grid") as run:
        run.metrics({"loss": 1.0}, 0)
        assert deliver_all() == ([], [])
        assert len(waits(root)) == 1
    wait_until(lambda: not waits(root))  # by its thread


def test_a_delivery_that_was_interrupted_leaves_one_run_and_one_model(root, undisturbed, monkeypatch):
    """Each record arrives, and its confirmation does not."""
    receive = delivery.receive
    seen = []

    def lose_the_answer(run, record, files):
        receive(run, record, files)
        if record not in seen:
            seen.append(record)
            raise OSError("the answer is lost")

    monkeypatch.setattr(delivery, "receive", lose_the_answer)
    train(root)
    for _ in range(40):  # more than there are records
        deliver_all()
    assert waits(root) == []
    assert content(root) == undisturbed


def test_a_record_that_mlflow_refuses_is_left_out_and_the_others_arrive(root, caplog):
    with open_run("train", "grid") as run:
        run._write({"tags": {"": "no key"}})
        run.metrics({"loss": 1.0}, 0)
    assert waits(root) == []
    _, (run,) = runs_of(root)
    assert (run.info.status, run.data.metrics["loss"]) == ("FINISHED", 1.0)
    (record,) = caplog.records
    assert "MLflow refuses a record, which is left out" in record.message


def test_runs_that_a_working_store_refuses_are_named_and_the_others_arrive(root, monkeypatch, caplog, capsys):
    with outage(monkeypatch):
        for title in "abcd":
            with open_run("train", title) as run:
                run.model(root / "training", {})
    paths = sorted(waits(root))
    shutil.rmtree(paths[0] / "files")
    (paths[2] / "records.jsonl").write_text("{\n")
    caplog.clear()
    monkeypatch.setattr(sys, "argv", ["deliver"])
    for delivered in (["b, outage", "d, outage"], []):
        with pytest.raises(SystemExit, match="1"):
            deliver.main()
        assert capsys.readouterr().out.splitlines() == [f"delivered to MLflow: {name}" for name in delivered]
    assert sorted(waits(root)) == [paths[0], paths[2]]
    of_model, of_line = [record.message for record in caplog.records][:2]
    assert of_model.startswith("MLflow works, but refuses a, outage: StageFileError: ")
    assert of_model.endswith(f"to give its records up, delete {paths[0]}")
    assert of_line.startswith(f"MLflow works, but refuses {paths[2].name}: JSONDecodeError: ")
    with open_run("parent") as run:  # the results of an experiment are recorded all the same
        assert run.is_open


def test_a_store_that_still_fails_is_one_line_and_the_records_stay(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    with open_run("train", "grid"):
        pass
    with pytest.raises(UserError, match="the records stay in .*set MLFLOW_TRACKING_URI to another store"):
        deliver_all()
    assert len(waits(root)) == 1


def test_results_that_were_not_recorded_are_noted_until_they_are(root, monkeypatch, caplog):
    with outage(monkeypatch), open_run("parent") as run:
        assert not run.is_open
    assert len(caplog.records) == 1
    ((note, source),) = find_unrecorded().items()
    assert is_in_workspace(source)
    (root / "params.yaml").write_text("seed: 1")
    assert not is_in_workspace(source)
    monkeypatch.setenv("DVC_EXP_NAME", "another")
    with open_run("parent", source=source) as run:
        run.metrics({"mAP": 0.5})
    assert not note.exists()
    monkeypatch.setenv("DVC_EXP_NAME", "outage")
    _, (parent,) = runs_of(root, "parent")
    assert parent.data.metrics == {"mAP": 0.5}


EIGHT = """
import os, sys, time, warnings
warnings.simplefilter("ignore")
from metabin.tracking import open_run
from metabin.tracking.store import import_mlflow
import_mlflow()
import mlflow.store.tracking.sqlalchemy_store  # as in the fork server of `make repro`
pids = []
for number in range(8):
    if pid := os.fork():
        pids.append(pid)
        continue
    start = time.monotonic()
    with open_run("train", f"t{number}") as run:
        opened = time.monotonic()
        run.metrics({"loss": 1.0}, 0)
        closing = time.monotonic()
    print(opened - start, time.monotonic() - closing, flush=True)
    os._exit(0)
for pid in pids:
    os.waitpid(pid, 0)
"""


def test_eight_processes_at_a_fresh_store_record_and_none_waits_long(root):
    shutil.rmtree(root / ".mlflow")
    printed, errors = python(EIGHT).communicate(timeout=200)
    assert errors == ""
    waits_of = [[float(number) for number in line.split()] for line in printed.splitlines()]
    assert len(waits_of) == 8
    assert max(map(sum, waits_of)) < 30, waits_of
    _, (parent,) = runs_of(root, "parent")
    _, runs = runs_of(root)
    assert sorted(run.data.tags["title"] for run in runs) == [f"t{number}" for number in range(8)]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert {run.info.status for run in (*runs, parent)} == {"FINISHED"}
