"""What `dvc repro` does after a change of the user's own files: CSV, images, splits, weights to start from."""

import json
import os
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from stages_in_clone import make_clone, run
from test_real_data import write_csv

SETTINGS = {
    "protocol": {
        "domains": ["viper", "yard"],
        "sources": ["shop", "office"],
        "sources_of": {"viper": ["shop", "office"], "yard": ["shop", "office"]},
        "baselines": ["bn"],
        "final": [],
    },
    "data": {"local": ["viper", "yard", "shop", "office", "weights/start.safetensors"], "accept_unfit": ["viper"]},
    "model": {"pretrained": "weights/start.safetensors"},
    "partition": {"num_train_ids": "all"},
}
SPLITS = "datasets/splits.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A clone with own data that is partitioned."""
    settings = {**SETTINGS, "data": {**SETTINGS["data"], "splits": {"viper": SPLITS}}}
    folder = make_clone(tmp_path_factory.mktemp("inputs"), settings)
    for name in ("yard", "shop", "office"):
        write_csv(folder / "datasets", name)
    for pid in range(4):
        for camera in ("cam_a", "cam_b"):
            path = folder / f"datasets/viper/{camera}/{pid:03}_0.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 48), (60 * pid, 90, 30)).save(path)
    (folder / SPLITS).write_text(json.dumps([{"train": [0, 1], "test": [2, 3]}]))
    (folder / "weights").mkdir()
    save_file({"weight": torch.zeros(1)}, folder / "weights/start.safetensors")
    run(folder, "dvc", "repro", "partition")
    return folder


@pytest.fixture
def clone(original, tmp_path):
    return shutil.copytree(original, tmp_path / "clone", symlinks=True)


def repro(clone):
    return run(clone, "dvc", "repro", "partition").stdout


def manifest(clone, fold="yard"):
    return json.loads((clone / f"data/partition/folds/{fold}.json").read_text())


def is_stale(clone, stage):
    return stage in json.loads(run(clone, "dvc", "status", "--json").stdout)


def test_unchanged_files_rerun_nothing_even_if_they_are_written_again(clone):
    before = (clone / "dvc.lock").read_bytes()
    assert "Stage 'partition' didn't change, skipping" in repro(clone)
    content = (clone / "datasets/yard.csv").read_bytes()
    (clone / "datasets/yard.csv").write_bytes(content)
    os.utime(clone / "datasets/yard/0_0.png")
    assert "Stage 'partition' didn't change, skipping" in repro(clone)
    assert (clone / "dvc.lock").read_bytes() == before


def test_an_edited_csv_is_read_again(clone):
    path = clone / "datasets/yard.csv"
    path.write_text("\n".join(line for line in path.read_text().split("\n") if not line.startswith("yard/4_")))
    repro(clone)
    assert manifest(clone)["domains"]["yard"]["counts"]["query"]["ids"] == 4


def test_a_replaced_image_is_decoded_again_and_the_trainings_that_saw_it_are_stale(clone):
    before = manifest(clone)["domains"]["shop"]["sha256"]
    Image.new("RGB", (24, 48), (1, 2, 3)).save(clone / "datasets/shop/0_0.png")
    repro(clone)
    assert manifest(clone)["domains"]["shop"]["sha256"] != before
    assert is_stale(clone, "baseline@yard-bn-0")


def test_a_deleted_image_is_noticed(clone):
    (clone / "datasets/yard/0_0.png").unlink()
    done = run(clone, "dvc", "repro", "partition", check=False)
    assert done.returncode != 0
    assert "yard.csv, line 2: 'yard/0_0.png' is not there" in done.stderr
    (clone / "datasets/viper/cam_a/001_0.bmp").unlink()
    done = run(clone, "dvc", "repro", "check@viper", check=False)
    assert "1 people in one camera only: '001'" in done.stderr


def test_other_splits_make_another_test(clone):
    before = manifest(clone, "viper")["domains"]["viper"]["trials"]
    (clone / SPLITS).write_text(json.dumps([{"train": [2, 3], "test": [0, 1]}]))
    repro(clone)
    assert manifest(clone, "viper")["domains"]["viper"]["trials"] != before


def test_other_weights_under_the_same_name_make_trainings_stale(clone):
    before = manifest(clone)["files"]
    save_file({"weight": torch.ones(1)}, clone / "weights/start.safetensors")
    refused = run(clone, "python", "-m", "stages.train", "--fold", "yard", "--seed", "0", check=False)
    assert "weights/start.safetensors has changed since the partition was made; run `dvc repro`" in refused.stderr
    repro(clone)
    assert manifest(clone)["files"].keys() == before.keys()
    assert manifest(clone)["files"] != before
    assert is_stale(clone, "baseline@yard-bn-0")


def test_without_the_files_on_this_machine_nothing_is_stale(clone):
    shutil.rmtree(clone / "datasets")
    shutil.rmtree(clone / "weights")
    before = (clone / "dvc.lock").read_bytes()
    output = repro(clone)
    assert "yard is not in datasets on this machine; the result of its last check is used" in output
    assert "Stage 'partition' didn't change, skipping" in output
    assert (clone / "dvc.lock").read_bytes() == before


def test_what_is_not_listed_is_refused_before_anything_is_read(clone):
    params = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(params.replace("  - office\n  - weights", "  - weights", 1))
    done = run(clone, "dvc", "repro", "partition", check=False)
    assert "data.local does not list office" in done.stderr
