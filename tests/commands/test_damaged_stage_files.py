"""A file that one stage wrote and another reads: empty, cut in half or garbage, it is named with what to do.

The files are those of a real pipeline, so that a new one without a careful reader fails here.
"""

import json
import re
import shutil

import pytest
import torch

from metabin.card.results import complete_card
from metabin.config import load_config
from metabin.data import store
from metabin.data.acquisition import local_datasets, local_files
from metabin.errors import UserError
from metabin.model.description import read_description
from metabin.report.inputs import COLUMNS
from stages import evaluate, gather_records, layout, trained

DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "garbage": lambda content: bytes(range(256)) * 8,
    "text": lambda content: b"an error page of a proxy\n",
}
REMEDY = re.compile("run `dvc repro|train (it )?again")
NOT_READ = ("trials.csv",)  # for people


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    """A copy of the pipeline with what its fixture leaves out: a rho probe, and a local data set."""
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("data/partition", "models", "results"):
        shutil.copytree(pipeline / name, folder / name)
    shutil.copy(pipeline / "params.yaml", folder)
    probe = folder / layout.rho_probe("night") / "rho.csv"
    probe.parent.mkdir(parents=True)
    probe.write_text(",".join(COLUMNS["rho_probe"]) + "\n")
    local = folder / layout.local("yard")
    local.mkdir(parents=True)
    shutil.copy(folder / "data/partition/night.csv", local / local_datasets.RECORDS)
    findings = {"images": ".", "layout": "csv", "fingerprint": "0", "problems": []}
    (local / local_datasets.FINDINGS).write_text(json.dumps(findings))
    (local / local_files.DIGEST).write_text(json.dumps({"file": "start.pt", "sha256": "0"}))
    return folder


def read_partition():
    config = load_config()
    manifest = store.load_manifest(layout.PARTITION, "night")
    inputs = evaluate.load_inputs(config, "night", manifest, torch.device("cpu"))
    store.load_manifest(layout.PARTITION, "campus")
    store.load_manifest(layout.PARTITION, "final")
    for fold in ("campus", "final"):
        store.load_overlaps(layout.PARTITION, fold)
    return inputs


def read_outputs():
    config = load_config()
    protocol = config.protocol.model_copy(update={"final": []})
    gather_records.load_records(config.model_copy(update={"protocol": protocol}), ["night"])
    for method in ("bn", "metabin"):
        trained.load_candidates("night", method, 0)
        trained.load_source_scores("night", method, 0)
        folder = layout.training("night", method, 0)
        complete_card(folder, read_description(folder / "config.json"), layout.RESULTS)


def read_models():
    for method in ("bn", "metabin"):
        trained.load_trained("night", method, 0, torch.device("cpu"))


def read_local():
    directory = layout.local("yard")
    local_datasets.load_local_dataset(directory, "yard")
    local_datasets.recorded_problems(directory)
    local_files.load_file_digest(directory)


READERS = {
    "data/partition/": read_partition,
    "data/raw/local/": read_local,
    "results/": read_outputs,
    "rho_probe/": read_outputs,
    "models/": read_outputs,
}


def reader_of(path):
    if path.suffix == ".safetensors":
        return read_models
    return next(reader for start, reader in READERS.items() if f"{path}".startswith(start))


@pytest.mark.bad_input("file of a stage")
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_the_pipeline_is_named_if_it_is_damaged(folder, monkeypatch, damage):
    monkeypatch.chdir(folder)
    for read in {*READERS.values(), read_models}:
        read()  # all files are good
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [path for path in files if f"{path}" != "params.yaml" and path.name not in NOT_READ]
    assert {path.suffix for path in files} == {".json", ".csv", ".npy", ".npz", ".safetensors", ".md"}
    problems = []
    for path in files:
        if path.suffix == ".md" and damage == "text":
            continue  # a card may have any text
        content = path.read_bytes()
        path.write_bytes(DAMAGES[damage](content))
        try:
            reader_of(path)()
            problems.append(f"{path}: no error")
        except UserError as error:
            if str(path) not in str(error) or not REMEDY.search(str(error)):
                problems.append(f"{path}: {error}")
        except Exception as error:
            problems.append(f"{path}: {error!r:.200}")
        path.write_bytes(content)
    assert not problems, "\n".join(problems)


@pytest.mark.bad_input("file of a stage")
@pytest.mark.parametrize(
    ("name", "read", "message"),
    [
        ("data/partition/night.csv", read_partition, "night.csv has 32 records and night.npy has 64 images"),
        ("results/night/scores.csv", read_outputs, "scores.csv has no scores of bn with the seed 0"),
    ],
)
def test_a_table_that_is_cut_between_two_lines_is_noticed(folder, monkeypatch, name, read, message):
    monkeypatch.chdir(folder)
    content = (folder / name).read_bytes()
    lines = content.splitlines(keepends=True)
    (folder / name).write_bytes(b"".join(lines[: 1 + len(lines) // 2]))
    with pytest.raises(UserError, match=message):
        read()
    (folder / name).write_bytes(content)
