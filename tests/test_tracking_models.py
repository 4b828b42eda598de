"""Models in MLflow: each training records one, `make register` registers one, and a server answers requests."""

import base64
import io
import json
import shutil
import sys
import tomllib
import urllib.request
from pathlib import Path

import mlflow_server
import numpy as np
import pandas as pd
import pytest
import torch
from descriptions import describe_network
from mlflow_client import client_of
from PIL import Image

import metabin
from metabin.errors import CheckpointError, ConfigError, DatasetError, UserError
from metabin.inference import mlflow_model
from metabin.model.embedder import build_embedder
from metabin.model.weights import save_model
from metabin.tracking import deliver_all, model_folder, open_run
from metabin.tracking.location import locate
from metabin.tracking.model_registry import register_model
from metabin.tracking.provenance import project_root
from stages.tools.register import choose_training

TAGS = {"fold": "final", "method": "metabin", "seed": "0"}
CARD = "---\nlicense: mit\n---\n\n# MetaBIN\n\nFor ranking.\n"


@pytest.fixture
def store(tmp_path, monkeypatch, empty_database):
    """The address of the store of a project, whose root is the working directory."""
    for name in ("DVC_ROOT", "DVC_EXP_BASELINE_REV", "METABIN_TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_EXP_NAME", "wide-net")
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".mlflow").mkdir()
    shutil.copy(empty_database, root / ".mlflow")
    monkeypatch.chdir(root)
    yield f"sqlite:///{root / '.mlflow' / 'mlflow.db'}"
    assert not Path("mlflow.db").exists(), "MLflow used its default store"


def write_training(seed=0, fold="final"):
    """The folder of a training: a small network with random weights, and its card."""
    folder = Path(f"models/{fold}/metabin/seed-{seed}")
    torch.manual_seed(seed)
    network = build_embedder("resnet_small", 6, norm="bin", rho_per="channel")
    save_model(folder, network, describe_network(network, "resnet_small", "bin", 32, 16, fold=fold, seed=seed))
    (folder / "README.md").write_text(CARD)
    return folder


def record(folder, **scores):
    """Record a training with its model; return the id of its run."""
    fold, method, seed = folder.parts[1:]
    tags = {"fold": fold, "method": method, "seed": seed.removeprefix("seed-")}
    with open_run("train", "/".join(folder.parts[1:]), tags=tags) as run:
        run.model(folder, scores)
    return newest_run().info.run_id


def newest_run():
    client = client_of(locate(project_root()).uri)
    experiment = client.get_experiment_by_name("metabin").experiment_id
    return client.search_runs([experiment], "tags.kind = 'train'", order_by=["start_time DESC"])[0]


def logged_models(store):
    client = client_of(store)
    experiment = client.get_experiment_by_name("metabin").experiment_id
    return list(client.search_logged_models([experiment], order_by=[{"field_name": "creation_timestamp"}]))


def versions(store, name="metabin"):
    return sorted(client_of(store).search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))


def champion(store):
    return int(client_of(store).get_model_version_by_alias("metabin", "champion").version)


def pictures(count=3):
    """Images as the content of PNG files, of other sizes than the network's."""
    random = np.random.default_rng(0)
    files = [io.BytesIO() for _ in range(count)]
    for index, file in enumerate(files):
        Image.fromarray(random.integers(0, 256, (50 + index, 23, 3), np.uint8)).save(file, "PNG")
    return [file.getvalue() for file in files]


def opened(content):
    return [Image.open(io.BytesIO(picture)) for picture in content]


def test_a_training_records_its_model_with_scores_signature_and_requirements(store, caplog):
    run_id = record(write_training(fold="mall"), source_mAP=0.25, unknown=float("nan"))
    (model,) = logged_models(store)
    assert (model.name, model.status, model.source_run_id) == ("mall-metabin-seed-0", "READY", run_id)
    assert {"fold": "mall", "method": "metabin", "seed": "0", "superseded": "false"}.items() <= model.tags.items()
    assert model.tags["mlflow.note.content"] == "# MetaBIN\n\nFor ranking."
    assert model.tags["sha256"] == metabin.load("models/mall/metabin/seed-0").description.sha256
    assert {metric.key: metric.value for metric in model.metrics} == {"source_mAP": 0.25}
    assert (model.params["backbone"], model.params["embedding_size"]) == ("resnet_small", "128")
    assert [output.model_id for output in client_of(store).get_run(run_id).outputs.model_outputs] == [model.model_id]
    files = Path(model.artifact_location.removeprefix("file://"))
    assert sorted(path.name for path in (files / "data").iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert not [path for path in files.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pyc")]
    pins = (files / "requirements.txt").read_text().split()
    assert [pin.partition("==")[0] for pin in pins] == list(model_folder.REQUIREMENTS)
    assert f"torch=={torch.__version__.partition('+')[0]}" in pins
    assert not caplog.records


def test_mlflow_reads_what_is_written_as_a_model_of_its_own(store):
    from mlflow.models import Model

    record(write_training())
    (model,) = logged_models(store)
    folder = model.artifact_location.removeprefix("file://")
    description = Model.load(folder)
    assert [(column.name, column.type.name) for column in description.signature.inputs] == [("image", "string")]
    assert description.signature.outputs.inputs[0].shape == (-1, 128)
    example = description.load_input_example(folder)
    served = mlflow_model._load_pyfunc(f"{folder}/data")
    assert served.predict(example).shape == (1, 128)


def test_a_model_loads_from_its_run_its_id_and_the_registry(store):
    folder = write_training()
    run_id = record(folder)
    (model,) = logged_models(store)
    register_model(folder, "metabin", CARD, TAGS)
    expected = metabin.load(folder).embed(opened(pictures()))
    names = (f"runs:/{run_id}/model", f"runs:/{run_id}", f"models:/{model.model_id}")
    for uri in (*names, "models:/metabin@champion", "models:/metabin/1", "models:/metabin/latest"):
        assert np.array_equal(metabin.load(uri).embed(opened(pictures())), expected), uri


def test_a_repeated_training_supersedes_its_earlier_model_and_no_other(store):
    for folder in (write_training(), write_training(), write_training(fold="mall")):
        record(folder)
    states = [(model.name, model.tags["superseded"]) for model in logged_models(store)]
    assert states == [
        ("final-metabin-seed-0", "true"),
        ("final-metabin-seed-0", "false"),
        ("mall-metabin-seed-0", "false"),
    ]


def test_a_model_that_cannot_be_recorded_costs_a_warning_and_is_delivered_after_the_repair(store, caplog):
    folder = write_training()
    Path(".mlflow/artifacts").mkdir()
    Path(".mlflow/artifacts/models").write_text("no folder")
    run_id = record(folder, source_mAP=0.25)
    (warning,) = caplog.records
    assert "final/metabin/seed-0" in warning.message and "The stage continues" in warning.message
    assert [model.status for model in logged_models(store)] == ["FAILED"]
    Path(".mlflow/artifacts/models").unlink()
    assert deliver_all() == (["final/metabin/seed-0, wide-net"], [])
    assert client_of(store).get_run(run_id).info.status == "FINISHED"
    (model,) = logged_models(store)
    assert (model.status, model.source_run_id) == ("READY", run_id)
    register_model(folder, "metabin", CARD, TAGS)
    assert metabin.load("models:/metabin@champion").description == metabin.load(folder).description


def test_without_tracking_nothing_is_recorded(store, monkeypatch):
    monkeypatch.setenv("METABIN_TRACKING", "off")
    with open_run("train", "final/metabin/seed-0") as run:
        run.model(Path("missing"), {})
    assert client_of(store).get_experiment_by_name("metabin") is None


def test_registering_sets_alias_description_and_source(store):
    folder = write_training()
    run_id = record(folder)
    registered = register_model(folder, "metabin", CARD, TAGS)
    assert (registered.number, registered.is_new, registered.store) == (1, True, store)
    version = client_of(store).get_model_version_by_alias("metabin", "champion")
    assert (int(version.version), version.run_id, version.description) == (1, run_id, "# MetaBIN\n\nFor ranking.")
    (model,) = logged_models(store)
    assert version.source == f"models:/{model.model_id}"
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "metabin", "version": version.version}]
    assert version.tags == {**TAGS, "sha256": metabin.load(folder).description.sha256}


def test_the_same_weights_are_registered_once_and_others_become_the_champion(store):
    first = write_training()
    record(first)
    assert register_model(first, "metabin", CARD, TAGS).is_new
    again = register_model(first, "metabin", "# Changed", TAGS)
    assert (again.number, again.is_new) == (1, False)
    assert [version.description for version in versions(store)] == ["# Changed"]
    second = write_training(seed=1)
    record(second)
    assert register_model(second, "metabin", CARD, {**TAGS, "seed": "1"}).number == 2
    assert champion(store) == 2
    assert register_model(first, "metabin", CARD, TAGS).number == 1  # back to the first
    assert champion(store) == 1
    assert len(versions(store)) == 2


def test_a_model_whose_training_is_not_in_the_store_is_recorded_when_it_is_registered(store):
    folder = write_training()
    register_model(folder, "metabin", CARD, TAGS)
    (model,) = logged_models(store)
    assert (model.name, model.source_run_id, model.status) == ("final-metabin-seed-0", None, "READY")
    assert metabin.load("models:/metabin@champion").description == metabin.load(folder).description


def test_a_name_that_mlflow_refuses_is_one_line(store):
    with pytest.raises(UserError, match="a/b cannot be registered in the MLflow store sqlite:.*cannot contain"):
        register_model(write_training(), "a/b", CARD, TAGS)


@pytest.mark.bad_input("weights or model")
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/metabin@best", "alias best not found"),
        ("models:/metabin/7", "version=7"),
        ("models:/other/1", "other not found"),
        ("models:/m-0123456789", "m-0123456789"),
        ("models:/", "models:/name@alias"),
        ("runs:/0123456789/model", "0123456789"),
    ],
)
def test_an_unknown_model_or_run_is_one_line(store, uri, message):
    register_model(write_training(), "metabin", CARD, TAGS)
    with pytest.raises(CheckpointError) as raised:
        metabin.load(uri)
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"{uri} cannot be read from the MLflow store {store}")
    assert "\n" not in str(raised.value)


@pytest.mark.bad_input("weights or model")
def test_a_run_without_a_model_and_a_model_of_another_program_are_named(store, tmp_path):
    with open_run("train", "mall"):
        pass
    run_id = newest_run().info.run_id
    with pytest.raises(CheckpointError, match=f"the run {run_id} of MLflow has no model"):
        metabin.load(f"runs:/{run_id}/model")
    client = client_of(store)
    foreign = client.create_logged_model("0", "foreign")
    with pytest.raises(CheckpointError, match="is no model of this project: it has no data/config.json"):
        metabin.load(f"models:/{foreign.model_id}")


def test_without_a_store_or_without_mlflow_the_message_says_what_to_do(tmp_path, store, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="mlflow.db does not exist; .*MLFLOW_TRACKING_URI"):
        metabin.load("models:/metabin/1")
    assert not (tmp_path / ".mlflow").exists()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UserError, match=r'mlflow is not installed; run: pip install "metabin\[pipeline\]"'):
        metabin.load("models:/metabin/1")


def test_a_store_that_is_no_database_is_one_line(store):
    Path(".mlflow/mlflow.db").write_text("no database " * 100)
    with pytest.raises(CheckpointError, match="cannot be read from the MLflow store .*file is not a database"):
        metabin.load("models:/metabin/1")


def test_a_moved_project_still_finds_its_models(store, tmp_path, monkeypatch):
    folder = write_training()
    record(folder)
    register_model(folder, "metabin", CARD, TAGS)
    expected = metabin.load(folder).description
    monkeypatch.chdir(tmp_path)
    Path("project").rename("moved")
    monkeypatch.chdir("moved")
    assert metabin.load("models:/metabin@champion").description == expected


def test_the_final_model_is_registered_or_else_the_best_on_its_sources(make_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    domains = ["mall", "night", "plaza"]
    protocol = make_config(protocol__domains=domains, protocol__final=["metabin"]).protocol
    assert choose_training("metabin", protocol)[0] == Path("models/final/metabin/seed-0")
    protocol = make_config(protocol__domains=domains, protocol__final=[]).protocol
    for fold, source_map in {"mall": (0.9, 0.3), "night": (0.1, 0.4), "plaza": (0.2, 0.2)}.items():
        table = pd.DataFrame({"step": [4, 8], "source_mAP": source_map, "chosen": [True, False]})
        Path(f"models/{fold}/metabin/seed-0").mkdir(parents=True)
        table.to_csv(f"models/{fold}/metabin/seed-0/selection.csv", index=False)
    folder, reason = choose_training("metabin", protocol)
    assert folder == Path("models/night/metabin/seed-0")  # of the last step, whose weights are the model's
    assert "of its trainings this one has the highest mAP on the held-out identities of its sources, 40.0 %" in reason
    with pytest.raises(ConfigError, match="--method dualnorm is not trained here; expected is one of"):
        choose_training("dualnorm", protocol)


def test_without_scores_on_the_sources_there_is_nothing_to_choose_by(make_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("models/mall/metabin/seed-0").mkdir(parents=True)
    Path("models/mall/metabin/seed-0/selection.csv").write_text("step,source_mAP,chosen\n8,,True\n")
    protocol = make_config(
        protocol__domains=["mall"], protocol__sources=["night", "plaza"], protocol__final=[]
    ).protocol
    with pytest.raises(ConfigError, match="add metabin to protocol.final"):
        choose_training("metabin", protocol)


@pytest.mark.bad_input("image")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data:image/png;base64,abcd", "image 1 is not base64: .*without `data:image"),
        (base64.b64encode(b"hello").decode(), "image 1 cannot be read: .*not an image"),
        (None, "image 1 is not base64"),
    ],
)
def test_a_text_that_is_no_image_is_named_by_its_row(store, text, message):
    served = mlflow_model._load_pyfunc(str(write_training()))
    table = pd.DataFrame({"image": [base64.b64encode(pictures()[0]).decode(), text]})
    with pytest.raises(DatasetError, match=message):
        served.predict(table)


def test_a_recorded_model_needs_core_packages_of_the_project_and_mlflow(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    core = {requirement.partition(">=")[0] for requirement in project["dependencies"]}
    assert set(model_folder.REQUIREMENTS) - {"mlflow"} <= core
    assert model_folder.COLUMN == mlflow_model.COLUMN


@pytest.mark.timeout(300)  # MLflow imports itself in two processes: ten seconds of processor time
def test_a_server_of_mlflow_answers_with_the_embeddings_of_metabin(store, tmp_path, monkeypatch):
    folder = write_training()
    record(folder)
    uri = register_model(folder, "metabin", CARD, TAGS).uri
    expected = metabin.load(folder).embed(opened(pictures()))
    monkeypatch.chdir(tmp_path)  # and not on its path: the server runs the code in the model's folder
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{Path('/usr/bin')}:/bin")
    port = mlflow_server.free_port()
    command = (sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local")
    address = ("--host", "127.0.0.1", "--port", str(port))
    with mlflow_server.started((*command, *address), port, tmp_path / "log.txt", MLFLOW_TRACKING_URI=store):
        texts = [base64.b64encode(picture).decode() for picture in pictures()]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"inputs": texts}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
    np.testing.assert_allclose(np.array(answer["predictions"]), expected, rtol=0, atol=1e-6)
