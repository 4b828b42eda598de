"""Every protocol, from the files of format-true imitations of its data sets to the scores, by the stages' own code."""

import json
import sys
from importlib import import_module

import large_sets
import pandas as pd
import pytest
import small_sets
from ruamel.yaml import YAML
from stages_in_clone import ROOT

from metabin.protocol.named import load_protocols

PROTOCOLS = load_protocols(ROOT / "protocols")
REAL = [name for name in PROTOCOLS if name != "embedded"]
SPLITS = {
    "prid2011": [{"train": [1], "test": [200]}] * 10,
    "ilids": [{"train": [1], "query": ["0119001.jpg"], "gallery": ["0119002.jpg"]}] * 10,
}


def write_sets(folder):
    """A tiny imitation of every data set; splits in the reference's forms, as ours are for whole sets alone."""
    for name in ("market1501", "dukemtmcreid", "cuhk02"):
        getattr(large_sets, name)(folder / name)
    for name in ("grid", "viper", "prid2011", "ilids", "randperson", "clonedperson", "unrealperson", "personx"):
        getattr(small_sets, name)(folder / name)
    large_sets.msmt17(folder / "msmt17", "V1")
    large_sets.cuhk03_np(folder / "cuhk03" / "one")
    (folder / "cuhk03/one/detected").rename(folder / "cuhk03/detected")
    large_sets.cuhk_sysu_metabin(folder / "cuhk_sysu")
    small_sets.viper_splits(folder / "splits" / "viper")
    for name, splits in SPLITS.items():
        (folder / "splits" / f"{name}.json").write_text(json.dumps(splits))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    write_sets(folder)
    return folder


@pytest.fixture
def call(tmp_path, monkeypatch):
    """A function that runs a stage in this process, in a folder of its own."""
    (tmp_path / "protocols").symlink_to(ROOT / "protocols")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METABIN_TRACKING", "off")

    def run(stage, *arguments):
        monkeypatch.setattr(sys, "argv", [stage, *arguments])
        import_module(f"stages.{stage}").main()

    return run


def small_params(data):
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["protocol"] |= {"baselines": ["bn"]}
    params["data"] |= {"folder": str(data), "acknowledge_withdrawn": True, "accept_unfit": [*READ]}
    params["data"]["splits"] = {name: str(data / "splits" / f"{name}.json") for name in SPLITS}
    params["data"]["splits"]["viper"] = str(data / "splits" / "viper")
    params["optim"] |= {"duration": 2, "ids_per_batch": 2, "images_per_id": 2}
    params["meta"] |= {"ids_per_domain": 2}
    return params


READ = sorted({name for own in REAL for fold in PROTOCOLS[own].folds for name in (*fold.sources, *fold.targets)})


@pytest.mark.parametrize("name", REAL)
def test_a_protocol_runs_from_files_to_scores(name, data, call, tmp_path):
    YAML().dump(small_params(data), tmp_path / "params.yaml")
    call("protocol", name)
    params = YAML(typ="safe").load(tmp_path / "params.yaml")["protocol"]
    for domain in (*params["domains"], *params["sources"]):
        call("download", "--domain", domain)
    call("partition")
    fold = PROTOCOLS[name].folds[0]
    manifest = json.loads((tmp_path / f"data/partition/folds/{fold.name}.json").read_text())
    assert manifest["protocol"]["name"] == name
    counted = [domain for domain in (*fold.sources, *fold.targets) if domain in manifest["protocol"]["deviations"][0]]
    assert counted, "an imitation cannot have the counts of the data set"
    for method in ("bn", "metabin"):
        call("train", "--fold", fold.name, "--method", method, "--seed", "0")
    call("evaluate", "--fold", fold.name)
    scores = pd.read_csv(tmp_path / f"results/{fold.name}/scores.csv")
    unseen = scores[(scores["role"] == "unseen") & (scores["method"] == "metabin")].set_index("test_domain")
    assert set(unseen.index) == set(fold.targets)
    assert unseen["mAP"].between(0, 1).all()
    for target in fold.targets:
        assert unseen.loc[target, "num_trials"] == PROTOCOLS[name].tests[target][2] or target == "viper"
        assert manifest["domains"][target]["fingerprint"].startswith(unseen.loc[target, "fingerprint"])
