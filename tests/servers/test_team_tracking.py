"""A training recorded on a team's MLflow server: PostgreSQL, files in an S3 store, and a login."""

import os
import re

import numpy as np
import pandas as pd
import pytest
import torch
from descriptions import describe_network
from loopback import connect, mlflow_of_compose, postgres, s3_store

import metabin
from metabin.errors import CheckpointError
from metabin.model.embedder import build_embedder
from metabin.model.weights import save_model
from metabin.tracking import deliver_all, open_run
from metabin.tracking.failures import advise

PASSWORD = "Secret-of-the-admin"
WRONG = "Secret-that-is-wrong"


@pytest.fixture(scope="module")
def database():
    with postgres() as environment:
        yield environment


@pytest.fixture(scope="module")
def s3():
    with s3_store("mlflow") as store:
        yield store


@pytest.fixture(scope="module")
def server(tmp_path_factory, database, s3):
    """The address of MLflow as compose.yaml starts it."""
    with mlflow_of_compose(tmp_path_factory.mktemp("mlflow"), database, s3, PASSWORD) as address:
        yield address


@pytest.fixture
def project(tmp_path, monkeypatch, server):
    """An empty project as working directory, and a login; the keys of the S3 store are the server's alone."""
    for name in (*os.environ,):
        if name.startswith(("AWS_", "DVC_", "METABIN_", "MLFLOW_S3")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_EXP_NAME", "wide-net")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(project):
    """Record a training as the stage does."""
    folder = project / "models" / "final" / "metabin" / "seed-0"
    torch.manual_seed(0)
    network = build_embedder("resnet_small", 6, norm="bin", rho_per="channel")
    save_model(folder, network, describe_network(network, "resnet_small", "bin", 32, 16, fold="final", seed=0))
    (folder / "README.md").write_text("# MetaBIN\n")
    with open_run("train", "final/metabin/seed-0", tags={"fold": "final", "method": "metabin", "seed": "0"}) as run:
        run.params({"optim": {"lr": 0.01}})
        for step in range(3):
            run.metrics({"base/triplet": step / 2}, step)
        run.rho({"backbone.a": np.linspace(0, 1, 11)}, step=0)
        run.table("rho/histograms", pd.DataFrame({"step": [0], "count": [11]}))
        run.file(folder / "README.md")
        run.model(folder, {"source_mAP": 0.5})


def newest_run(database):
    query = "SELECT run_uuid FROM runs JOIN tags USING (run_uuid) WHERE key = 'kind' AND tags.value = 'train'"
    with connect(database) as db:
        return db.execute(f"{query} ORDER BY start_time DESC").fetchone()[0]


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "metabin.tracking"]


def test_a_training_is_recorded_on_the_server_and_read_back(project, database, s3, caplog):
    record(project)
    assert warnings_of(caplog) == []
    run_id = newest_run(database)
    with connect(database) as db:
        assert db.execute("SELECT status FROM runs WHERE run_uuid = %s", [run_id]).fetchone() == ("FINISHED",)
        assert db.execute("SELECT username FROM users").fetchall() == [("admin",)]  # the logins as well
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(run_id)
    assert (run.data.params["optim.lr"], run.data.metrics["base/triplet"]) == ("0.01", 1.0)
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    names = [item.path for item in client.list_artifacts(run_id, "images")]
    assert any(re.search("all layers.*step.0.*png", name) for name in names)
    stored = {entry["Key"] for entry in s3.client().list_objects_v2(Bucket="mlflow")["Contents"]}
    prefix = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    assert {f"{prefix}/{name}" for name in (*names, "README.md", "rho/histograms.json")} <= stored
    assert metabin.load(f"runs:/{run_id}/model").description.sha256 == run.data.tags["sha256"]


def test_a_wrong_password_costs_one_warning_that_names_the_variables_and_not_the_password(project, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", WRONG)
    record(project)
    (warning,) = warnings_of(caplog)
    assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a login of this MLflow server" in warning
    assert "python -m stages.tools.deliver" in warning
    assert "401" in warning
    assert WRONG not in warning
    with pytest.raises(CheckpointError, match="; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        metabin.load("models:/metabin@champion")


def test_a_missing_bucket_costs_the_files_and_one_warning_without_the_password(
    project, database, s3, server, monkeypatch, caplog
):
    client = s3.client()
    for entry in client.list_objects_v2(Bucket="mlflow").get("Contents", ()):
        client.delete_object(Bucket="mlflow", Key=entry["Key"])
    client.delete_bucket(Bucket="mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.replace("://", f"://admin:{PASSWORD}@"))  # as some do
    record(project)
    (warning,) = warnings_of(caplog)
    assert "the server's log has the reason; if its files fail, check the bucket" in warning
    assert "://***@127.0.0.1" in warning
    assert PASSWORD not in warning
    client.create_bucket(Bucket="mlflow")
    assert deliver_all() == (["final/metabin/seed-0, wide-net"], [])
    run_id = newest_run(database)
    query = "SELECT value FROM params WHERE run_uuid = %s AND key = 'optim.lr'"
    with connect(database) as db:
        assert db.execute(query, [run_id]).fetchone() == ("0.01",)
    assert metabin.load(f"runs:/{run_id}/model").description.fold == "final"


@pytest.mark.parametrize(
    ("reply", "start"),
    [
        ("API request to endpoint /api/2.0/mlflow/runs/create failed with error code 403 != 200.", "ask the server's"),
        ("403 Client Error: FORBIDDEN for url: http://host/api", "ask the server's"),
        ("Max retries exceeded (Caused by ResponseError('too many 503 error responses'))", "the server's log"),
        ("Max retries exceeded (Connection refused)", ""),
    ],
)
def test_the_advice_depends_on_the_status_of_the_reply(reply, start):
    advice = advise(RuntimeError(reply))
    assert advice.startswith(start)
    assert bool(advice) == bool(start)
