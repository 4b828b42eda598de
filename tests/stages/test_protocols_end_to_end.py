"""Every protocol, from the files of format-true imitations of its data sets to the scores, by the stages' own code."""

import json
from pathlib import Path

import large_sets
import pandas as pd
import pytest
import small_sets
from ruamel.yaml import YAML
from stages_in_clone import ROOT

from metabin.config import parse_config
from metabin.data.partition.protocols import load_protocols
from metabin.synthetic import is_site

PROTOCOLS = load_protocols(ROOT / "protocols")
REAL = [name for name, protocol in PROTOCOLS.items() if not is_site(protocol.folds[0].targets[0])]
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
    write_more_identities(folder)
    for name, splits in SPLITS.items():
        (folder / "splits" / f"{name}.json").write_text(json.dumps(splits))


def write_more_identities(folder):
    """Two more people under every camera of the sets that train alone: their cameras become the meta step's domains."""
    people, more = (11, 12), {}
    train = "bounding_box_train"
    more[f"market1501/{train}"] = [f"{pid:04}_c{cam}s1_000001_01.jpg" for pid in people for cam in range(1, 7)]
    more[f"dukemtmcreid/{train}"] = [f"{pid:04}_c{cam}_f0000001.jpg" for pid in people for cam in range(1, 9)]
    lines = [f"{pid:04}/{pid:04}_000_{cam:02}_0303morning_0001_0.jpg" for pid in people for cam in (1, 13, 15)]
    more["msmt17/train"] = lines
    with (folder / "msmt17/list_train.txt").open("a") as file:
        file.writelines(f"{line} {int(line[:4])}\n" for line in lines)
    places = ((0, 0), (3, 1), (10, 3))
    more["randperson"] = [f"{pid:06}_s{scene:02}_c{cam:02}_f000001.jpg" for pid in people for scene, cam in places]
    places = ((2, 0), (2, 2), (6, 0), (6, 2), (12, 2))
    more["clonedperson/train"] = [
        f"{pid:06}_s{scene:02}_c{cam:02}_f000001.jpg" for pid in people for scene, cam in places
    ]
    for place in ("unreal_v1.1", "unreal_v3.1"):
        more[f"unrealperson/{place}/images"] = [f"{pid}_c{cam:03}_1.jpg" for pid in people for cam in (1, 2)]
    for cam in (1, 5):
        more[f"personx/{cam}/{train}"] = [f"{pid:04}_c{cam}s1_01.jpg" for pid in people]
    for place, names in more.items():
        for name in names:
            large_sets.write_image(folder / place / name)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    write_sets(folder)
    return folder


def write_small_params(data):
    """params.yaml with a tiny training; what names data sets follows in `accept_imitations`."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["protocol"] |= {"baselines": ["bn"]}
    params["data"] |= {"folder": str(data), "acknowledge_withdrawn": True}
    params["optim"] |= {"duration": 2, "ids_per_batch": 2, "images_per_id": 2}
    params["meta"] |= {"ids_per_domain": 2}
    YAML().dump(params, Path("params.yaml"))


def accept_imitations(data, splits):
    """The imitations have other counts and splits than the real data sets; return the configuration."""
    params = YAML(typ="safe").load(Path("params.yaml"))
    config = parse_config(params)
    own = {name: str(data / "splits" / path) for name, path in splits.items() if name in config.protocol.targets}
    params["data"] |= {"accept_unfit": [*config.data.local], "splits": own}
    YAML().dump(params, Path("params.yaml"))
    return parse_config(params)


@pytest.mark.parametrize("name", REAL)
def test_a_protocol_runs_from_files_to_scores(name, data, call, tmp_path):
    write_small_params(data)
    call("tools.params", "protocol", name)
    config = accept_imitations(data, {**{own: f"{own}.json" for own in SPLITS}, "viper": "viper"})
    for domain in (*config.protocol.domains, *config.protocol.sources):
        call("download", "--domain", domain)
    for own in config.data.local:
        call("check", "--name", own)
    call("partition")
    fold = PROTOCOLS[name].folds[0]
    manifest = json.loads((tmp_path / f"data/partition/folds/{fold.name}.json").read_text())
    assert manifest["protocol"]["name"] == name
    counted = {told.split()[0] for told in manifest["protocol"]["deviations"]}  # no imitation has a data set's counts
    assert counted == {*PROTOCOLS[name].trains, *PROTOCOLS[name].tests} & {*fold.sources, *fold.targets}
    for method in ("bn", "metabin"):
        call("train", "--fold", fold.name, "--method", method, "--seed", "0")
    call("evaluate", "--fold", fold.name)
    scores = pd.read_csv(tmp_path / f"results/{fold.name}/scores.csv")
    unseen = scores[(scores["role"] == "unseen") & (scores["method"] == "metabin")].set_index("test_domain")
    assert set(unseen.index) == set(fold.targets)
    assert unseen["mAP"].between(0, 1).all()
    queries = pd.read_csv(tmp_path / f"results/{fold.name}/queries.csv")
    mine = queries[queries["method"] == "metabin"].groupby(["test_domain", "trial"])["AP"].mean()
    means = mine.groupby("test_domain").mean()
    assert means.to_dict() == pytest.approx(unseen["mAP"].to_dict(), abs=1e-5)
    for target in fold.targets:
        assert unseen.loc[target, "num_trials"] == PROTOCOLS[name].tests[target][2] or target == "viper"
        assert manifest["domains"][target]["fingerprint"].startswith(unseen.loc[target, "fingerprint"])
