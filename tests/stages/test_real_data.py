"""The pipeline on local data sets, from files to the report."""

import json
import sys

import large_sets
import numpy as np
import pandas as pd
import pytest
import small_sets
from PIL import Image
from ruamel.yaml import YAML
from stages_in_clone import make_clone, run

PROTOCOL = {
    "domains": ["dark"],
    "sources": ["shop", "office"],
    "groups": {"dark": ["yard", "street", "grid", "market1501"]},
    "baselines": ["bn"],
    "meta_learned": ["metabin"],
    "final": [],
}
SETTINGS = {
    "protocol": PROTOCOL,
    "data": {
        "local": ["shop", "office", "yard", "street", "grid", "market1501"],
        "accept_unfit": ["grid", "market1501"],  # they are tiny imitations: no count is right
    },
    "partition": {"num_train_ids": "all"},
    "optim": {"duration": 2, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1},
}


def write_csv(folder, name, *, num_ids=5, num_cams=2, split=""):
    """A domain of plain colours: identity by colour, camera by brightness."""
    lines = ["path,pid,camid,domain" + (",split" if split else "")]
    for pid in range(num_ids):
        for camid in range(num_cams):
            path = f"{name}/{pid}_{camid}.png"
            (folder / name).mkdir(parents=True, exist_ok=True)
            colour = tuple((40 * pid + 25 * camid + 90 * channel) % 256 for channel in range(3))
            Image.new("RGB", (24, 48), colour).save(folder / path)
            lines.append(f"{path},{pid},{camid},{name}" + (f",{('query', split)[camid]}" if split else ""))
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def plant_an_overlap(folder):
    """Person 0 of shop is also person 1 of yard, in an image that was compressed again."""
    blocks = np.random.default_rng(0).integers(0, 256, (12, 6, 3), dtype=np.uint8)
    image = Image.fromarray(blocks.repeat(4, axis=0).repeat(4, axis=1))
    image.save(folder / "shop/0_0.png")
    image.save(folder / "yard/1_1.png", "JPEG", quality=70)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = make_clone(tmp_path_factory.mktemp("own"), SETTINGS)
    for name in ("shop", "office", "yard"):
        write_csv(folder / "datasets", name)
    plant_an_overlap(folder / "datasets")
    write_csv(folder / "datasets", "street", split="gallery")
    small_sets.grid(folder / "datasets" / "grid" / "underground_reid")
    large_sets.market1501(folder / "datasets" / "market1501")
    run(folder, "dvc", "repro")
    return folder


def test_own_data_become_sources_and_targets_without_a_line_of_code(clone):
    cells = pd.read_csv(clone / "reports/matrix.csv").dropna(subset="mAP")
    assert set(cells["test_domain"]) == {"yard", "street", "grid", "market1501"}
    assert set(cells["held_out"]) == {"dark"}
    manifest = json.loads((clone / "data/partition/folds/dark.json").read_text())
    assert manifest["domains"]["shop"]["counts"]["train"] == {"ids": 5, "images": 10, "cameras": 2}
    assert manifest["domains"]["street"]["counts"]["query"] == {"ids": 5, "images": 5, "cameras": 1}
    assert "shop + office -&gt; yard + street + grid + market1501" in (clone / "reports/index.html").read_text()


def test_official_queries_distractors_and_ten_trials_reach_the_scores(clone):
    scores = pd.read_csv(clone / "results/dark/scores.csv").set_index(["method", "test_domain"])
    trials = pd.read_csv(clone / "results/dark/trials.csv").set_index(["method", "test_domain"])
    assert scores.loc[("metabin", "grid"), ["num_trials", "num_ids", "num_query"]].tolist() == [10, 2, 2]
    assert len(trials.loc[[("metabin", "grid")]]) == 10
    assert scores.loc[("metabin", "market1501"), ["num_trials", "num_query"]].tolist() == [1, 2]
    manifest = json.loads((clone / "data/partition/folds/dark.json").read_text())["domains"]
    assert manifest["market1501"]["counts"]["gallery"]["images"] == 5  # three of the tested, two distractors; no junk
    gallery = sum(stop - start for start, stop in manifest["grid"]["trials"][0]["gallery"])
    assert gallery == 2 + 3  # half of the people, all distractors
    assert "used although the data set check fails: grid, market1501" in (clone / "reports/index.html").read_text()


def test_a_planted_near_duplicate_is_found_and_scored_without(clone):
    overlaps = {(entry["source"], entry["target"]): entry for entry in load_overlaps(clone)}
    assert len(overlaps) == 2 * 4
    planted = overlaps.pop(("shop", "yard"))
    assert (planted["num_pairs"], planted["pids"], planted["source_images"]) == (1, [1], 10)
    assert planted["examples"][0]["source"] == "datasets/shop/0_0.png"
    assert planted["examples"][0]["target"] == "datasets/yard/1_1.png"
    assert not any(entry["num_pairs"] for entry in overlaps.values())  # images of one colour are no duplicates
    scores, clean = (pd.read_csv(clone / f"results/dark/{name}.csv") for name in ("scores", "without_overlap"))
    assert list(clean.columns) == list(scores.columns)
    assert set(clean["test_domain"]) == {"yard"}
    assert set(clean["method"]) == set(scores["method"])
    assert set(clean["num_ids"]) == {4}
    assert "shop -&gt; yard" in (clone / "reports/index.html").read_text()
    assert "| shop -> yard " in (clone / "reports/report.md").read_text()


def load_overlaps(clone):
    return json.loads((clone / "data/partition/overlaps/dark.json").read_text())


def test_no_image_is_copied_and_the_result_of_the_check_is_kept(clone):
    assert sorted(path.name for path in (clone / "data/raw/local/shop").iterdir()) == ["findings.json", "records.csv"]
    assert [path.name for path in (clone / "data/raw/shop").iterdir()] == ["local.json"]
    findings = json.loads((clone / "data/raw/local/yard/findings.json").read_text())
    assert findings["images"] == "datasets"
    assert findings["counts"]["all"]["images"] == 10
    assert len(findings["fingerprint"]) == 64


def test_the_check_says_what_is_wrong_and_how_it_ended(clone):
    (clone / "datasets/shop/phone.heic").write_bytes(b"")
    good = run(clone, sys.executable, "-m", "stages.tools.check", "shop")
    assert "shop in datasets: readable; custom data sets have no published counts to compare with" in good.stdout
    assert "left out: 1 .heic files (not readable: save them as JPEG or PNG)" in good.stdout
    assert "5 identities, 10 images, 2 cameras" in good.stdout
    content = (clone / "datasets/office/0_0.png").read_bytes()
    (clone / "datasets/office/0_0.png").write_bytes(b"")
    bad = run(clone, sys.executable, "-m", "stages.tools.check", "office", "msmt17", check=False)
    (clone / "datasets/office/0_0.png").write_bytes(content)
    assert bad.returncode == 1
    assert "office in datasets: FAILS" in bad.stdout
    assert "problem: office/0_0.png (no content) cannot be read" in bad.stdout
    assert "msmt17: MSMT17: no folder" in bad.stdout


def test_an_unfit_data_set_is_refused_until_it_is_accepted(clone, tmp_path):
    broken = make_clone(tmp_path, SETTINGS)
    write_csv(broken / "datasets", "shop")
    (broken / "datasets/shop/1_0.png").write_bytes(b"not an image")
    refused = run(broken, sys.executable, "-m", "stages.check", "--name", "shop", check=False)
    assert refused.returncode == 1
    assert "error: shop in datasets fails its check: shop/1_0.png" in refused.stderr
    assert not (broken / "data/partition").exists()


def test_a_withdrawn_data_set_needs_an_acknowledgement(clone):
    done = run(clone, sys.executable, "-m", "stages.download", "--domain", "dukemtmcreid", check=False)
    assert done.returncode == 1
    assert "withdrawn in June 2019" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_images_of_people_go_to_a_private_remote_and_to_no_other(clone, tmp_path):
    run(clone, "dvc", "remote", "add", "--default", "public", str(tmp_path / "public"))
    refused = run(clone, "dvc", "push", check=False)
    assert refused.returncode != 0
    assert "no-private-remote-see-docs-data.md" in refused.stderr
    assert not (tmp_path / "public").exists()
    run(clone, "dvc", "remote", "add", "--local", "private", str(tmp_path / "private"))
    for command in (("push",), ("push", "--run-cache", "--remote", "public")):
        run(clone, "dvc", *command)
    outputs = [
        output
        for stage in YAML(typ="safe").load(clone / "dvc.lock")["stages"].values()
        for output in stage.get("outs", [])
    ]
    shown = ("data/", "reports/index.html", "reports/figures")
    for output in outputs:
        digest = output["md5"]
        places = [name for name in ("public", "private") if stored(tmp_path / name, digest)]
        if output["path"].startswith(shown):
            assert places == ["private"], output["path"]
        else:
            assert "private" not in places, output["path"]
    assert any(stored(tmp_path / "public", output["md5"]) for output in outputs)


def stored(remote, digest):
    return (remote / "files/md5" / digest[:2] / digest[2:]).exists()
