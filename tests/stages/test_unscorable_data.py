"""Data that cannot be scored, from a CSV file to the refusal; and data of which some can, to the scores."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML
from stages_in_clone import ROOT

from metabin.errors import ConfigError, DatasetError

SPLIT = {0: "query", 1: "gallery", 2: "gallery"}
TARGETS = {
    # name: people, and (pid, camid, split) of an image by person and shot
    "onecam": (6, lambda pid, shot: (pid, 0, "")),
    "samecam": (4, lambda pid, shot: (pid, 0, SPLIT[shot])),
    "absent": (4, lambda pid, shot: (pid + 100 * (shot > 0), shot, SPLIT[shot])),
    "onlyq": (4, lambda pid, shot: (pid, shot, "query")),
    "some": (30, lambda pid, shot: (pid, 0 if pid < 20 else shot, SPLIT[shot])),  # the first 20 have no match
    "few": (5, lambda pid, shot: (pid, shot, "")),
    "shop": (6, lambda pid, shot: (pid, shot, "")),
    "office": (6, lambda pid, shot: (pid, shot, "")),
}


def write_csv(folder, name):
    num_ids, row_of = TARGETS[name]
    rows = []
    (folder / name).mkdir(parents=True)
    for pid in range(num_ids):
        for shot in range(3):
            path, (number, camid, part) = f"{name}/{pid}_{shot}.png", row_of(pid, shot)
            pixels = np.random.default_rng([pid, shot]).integers(0, 256, (8, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((16, 32)).save(folder / path)
            rows.append(
                {"path": path, "pid": number, "camid": camid, "domain": name} | ({"split": part} if part else {})
            )
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    for name in TARGETS:
        write_csv(folder, name)
    return folder


@pytest.fixture
def stage(call, data):
    """A function that runs a stage in this process, with protocol and other changes to params.yaml."""

    def run(name, *arguments, target="", sources=("shop", "office"), **changes):
        params = YAML(typ="safe").load(ROOT / "params.yaml")
        params["protocol"] |= {"baselines": ["bin_joint"], "final": []}
        if target:
            params["protocol"] |= {"domains": [target], "sources": list(sources)}
        params["data"] |= {"folder": str(data), "local": [target, *sources] if target else []}
        params["partition"]["num_train_ids"] = 4
        params["optim"] |= {"duration": 2, "ids_per_batch": 4, "images_per_id": 2}
        params["meta"]["ids_per_domain"] = 2
        for key, value in changes.items():
            section, _, last = key.partition("__")
            params[section][last] = value
        YAML().dump(params, Path("params.yaml"))
        call(name, *arguments)

    return run


REASONS = {
    "onecam": "none of the 18 queries .* as all images are of camera 0. Give each image its camera",
    "samecam": "none of the 4 queries .* as all images are of camera 0. Give each image its camera",
    "absent": "none of the 4 queries .* 4 have no image of the person in the gallery. Give a person the same pid",
    "onlyq": "none of the 12 queries .* there is no gallery image. Mark images",
}


@pytest.mark.bad_input("list or table")
@pytest.mark.parametrize("name", REASONS)
def test_a_target_that_cannot_be_tested_fails_its_check_and_is_refused(name, stage, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        stage("tools.check", name)
    assert end.value.code == 1
    assert f"{name} in" in (printed := capsys.readouterr().out)
    assert "FAILS" in printed
    assert "  problem: it cannot be tested: " in printed
    with pytest.raises(DatasetError, match=REASONS[name]):
        stage("check", "--name", name, target=name)
    assert not (tmp_path / "data/raw" / name).exists()


def test_a_target_under_one_camera_is_refused_by_partition_before_an_image_is_decoded(stage, tmp_path):
    for name in ("onecam", "shop", "office"):  # taken for another role
        stage("check", "--name", name, target="some", sources=("onecam", "shop", "office"))
    with pytest.raises(DatasetError, match=f"target onecam: {REASONS['onecam']}"):
        stage("partition", target="onecam")
    assert not (tmp_path / "data/partition").exists()


def test_a_source_under_one_camera_trains_if_it_has_no_test(stage, tmp_path):
    roles = {"target": "shop", "sources": ("onecam", "office")}
    for name in ("onecam", "shop", "office"):
        stage("check", "--name", name, **roles)
    stage("partition", **roles, partition__num_train_ids="all")
    with pytest.raises(
        DatasetError, match="source onecam, own test: none of the .*Or set partition.num_train_ids to all"
    ):
        stage("partition", **roles)
    shutil.rmtree(tmp_path / "data/raw/local/office")  # else a leftover, for which DVC is asked
    with pytest.raises(ConfigError, match="the training images are of 1 camera .with meta.domains = cameras"):
        stage("partition", target="shop", sources=("onecam",), meta__domains="cameras", partition__num_train_ids="all")


def test_a_target_that_cannot_train_prevents_the_final_model_alone(stage, tmp_path):
    for name in ("few", "shop", "office"):
        stage("check", "--name", name, target="few")
    advice = "This concerns the final model alone, which trains on all data sets; set protocol.final to "
    with pytest.raises(DatasetError, match=f"domain few has 5 identities; .* so use at most 3\n{advice}"):
        stage("partition", target="few", protocol__final=["metabin"])
    assert not (tmp_path / "data/partition").exists()
    stage("partition", target="few")
    assert [path.name for path in (tmp_path / "data/partition/folds").iterdir()] == ["few.json"]


def test_what_can_be_scored_is_counted(stage, capsys, tmp_path):
    for name in ("some", "shop", "office"):
        stage("check", "--name", name, target="some")
    capsys.readouterr()
    stage("partition", target="some")
    assert "remark: target some: 20 of the 30 queries cannot be scored" in capsys.readouterr().out
    for method in ("bin_joint", "metabin"):
        stage("train", "--fold", "some", "--method", method, "--seed", "0", target="some")
    stage("evaluate", "--fold", "some", target="some")
    scores = pd.read_csv(tmp_path / "results/some/scores.csv")
    unseen = scores[scores["role"] == "unseen"]
    assert set(unseen["num_ids"]) == set(unseen["num_query"]) == {10}
    assert unseen["mAP"].between(0, 1).all()
    stage("rho_probe", "--fold", "some", target="some")
    stage("report", target="some")  # with images of an absolute data.folder
    assert "data:image/webp" in (tmp_path / "reports/index.html").read_text()
