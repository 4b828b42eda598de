"""The pipeline as a user runs it: `dvc repro` in a clone, on a tiny benchmark."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML
from stages_in_clone import ROOT, make_clone, run

TINY = {
    "protocol": {"domains": ["campus", "night"], "sources": ["plaza"], "baselines": ["bn"]},
    "benchmark": {"num_ids": 8},
    "partition": {"height": 32, "width": 16, "num_train_ids": 4},
    "optim": {"duration": 3, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1},
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone in which the pipeline has run once, with tracking."""
    folder = make_clone(tmp_path_factory.mktemp("clone"), TINY)
    run(folder, "dvc", "repro", tracking="on")
    return folder


def test_the_pipeline_leaves_a_report_with_a_cell_for_every_fold_method_and_test_domain(clone):
    domains = TINY["protocol"]["domains"]
    cells = pd.read_csv(clone / "reports/matrix.csv")
    assert len(cells) == 5 * 6  # bn, metabin, stripes, mean colour, chance
    assert not cells["mAP"].isna().any()
    summary = json.loads((clone / "reports/summary.json").read_text())
    unseen = cells[(cells["method"] == "metabin") & (cells["held_out"] == cells["test_domain"])]["mAP"]
    assert summary["metabin"]["unseen"]["mAP"] == pytest.approx(unseen.mean(), abs=1e-5)
    scores = pd.read_csv(clone / "results/night/scores.csv")
    assert scores[scores["test_domain"] == "night"]["num_ids"].unique().tolist() == [8]
    assert scores[scores["test_domain"] == "campus"]["num_ids"].unique().tolist() == [4]
    page = (clone / "reports/index.html").read_text()
    assert all(name in page for name in (*domains, "MetaBIN"))


def test_the_queries_of_an_unseen_test_have_its_map_and_the_report_tests_the_difference(clone):
    scores, queries = (pd.read_csv(clone / f"results/night/{name}.csv") for name in ("scores", "queries"))
    assert list(queries) == ["fold", "method", "seed", "test_domain", "trial", "pid", "query", "AP"]
    assert set(queries["test_domain"]) == {"night"}
    unseen = scores[(scores["role"] == "unseen") & (scores["seed"] >= 0)].set_index("method")
    by_method = queries.groupby("method")["AP"]
    assert by_method.mean().to_dict() == pytest.approx(unseen["mAP"].to_dict(), abs=1e-5)
    assert by_method.size().to_dict() == unseen["num_query"].to_dict()
    found = json.loads((clone / "reports/summary.json").read_text())["differences"]
    assert found["metabin_minus_bn"]["low"] <= found["metabin_minus_bn"]["difference"]
    assert "MetaBIN - BN" in (clone / "reports/report.md").read_text()


def test_drawn_sites_share_no_image_and_the_report_says_that_they_were_compared(clone):
    for fold in TINY["protocol"]["domains"]:
        leaks = json.loads((clone / f"data/partition/overlaps/{fold}.json").read_text())
        assert [(leak["source_images"], leak["target_images"], leak["num_pairs"]) for leak in leaks] == [
            (32, 64, 0)
        ] * 2
        header = (clone / f"results/{fold}/scores.csv").read_text().splitlines()[0]
        assert (clone / f"results/{fold}/without_overlap.csv").read_text() == header + "\n"
    assert "(8,192 pairs): no near-duplicates." in (clone / "reports/report.md").read_text()


def test_the_images_are_where_the_documentation_says(clone):
    assert len(list((clone / "data/raw/night").glob("*.jpg"))) == 8 * 4 * 2
    manifest = json.loads((clone / "data/partition/folds/night.json").read_text())
    assert manifest["sources"] == ["campus", "plaza"]
    assert manifest["domains"]["campus"]["counts"]["train"] == {"ids": 4, "images": 32, "cameras": 4}


def test_the_final_model_trains_on_all_data_sets_and_the_report_names_its_folder(clone):
    manifest = json.loads((clone / "data/partition/folds/final.json").read_text())
    assert (manifest["sources"], manifest["targets"]) == (["campus", "night", "plaza"], [])
    assert json.loads((clone / "data/partition/overlaps/final.json").read_text()) == []
    folder = clone / "models/final/metabin/seed-0"
    assert [path.name for path in (clone / "models/final").iterdir()] == ["metabin"]
    scores = pd.read_csv(folder / "source_scores.csv")
    assert scores["test_domain"].tolist() == ["campus", "night", "plaza"]
    assert set(scores["role"]) == {"seen"}
    text = (clone / "reports/report.md").read_text().partition("## Final model")[2].partition("##")[0]
    assert "MetaBIN: models/final/metabin/seed-0" in text
    assert "(campus, night, plaza)" in text
    unseen = json.loads((clone / "reports/summary.json").read_text())["metabin"]["unseen"]["mAP"]
    row = next(line for line in text.splitlines() if line.startswith("| MetaBIN"))
    assert [cell.strip() for cell in row.split("|")][2::2][:2] == [
        f"{100 * scores['mAP'].mean():.1f}",
        f"{100 * unseen:.1f}",
    ]


def test_a_second_repro_does_nothing(clone):
    before = (clone / "dvc.lock").read_bytes()
    assert "Data and pipelines are up to date." in run(clone, "dvc", "repro").stdout
    assert (clone / "dvc.lock").read_bytes() == before


def test_mlflow_holds_a_finished_parent_with_a_child_for_every_training_and_evaluation(clone):
    code = """
import mlflow
client = mlflow.MlflowClient("sqlite:///.mlflow/mlflow.db")
runs = client.search_runs([client.get_experiment_by_name("metabin").experiment_id])
kinds = sorted(run.data.tags["kind"] for run in runs if run.data.tags["kind"] != "rho")
parent = next(run for run in runs if run.data.tags["kind"] == "parent")
wanted = ("metabin.unseen/mAP", "metabin_minus_bn/low")
print(*kinds, parent.info.status, all(name in parent.data.metrics for name in wanted))
print(*[item.path for path in (None, "figures") for item in client.list_artifacts(parent.info.run_id, path)])
"""
    found, files = run(clone, sys.executable, "-c", code).stdout.splitlines()
    expected = ["evaluate"] * 2 + ["parent"] + ["rho_probe"] * 2 + ["train"] * 5 + ["FINISHED", "True"]
    assert found.split() == expected
    shown = {"index.html", "report.md", *(f"figures/samples_{name}.png" for name in TINY["protocol"]["domains"])}
    assert shown < set(files.split())  # the people are synthetic, so their images may be uploaded


def test_another_clone_without_tracking_and_with_stages_side_by_side_gets_the_same_lock(clone, tmp_path):
    other = make_clone(tmp_path, TINY)
    run(other, sys.executable, "-m", "stages.tools.repro", "--jobs", "2")
    locks = [YAML(typ="safe").load(folder / "dvc.lock") for folder in (clone, other)]
    assert locks[0] == locks[1]
    assert not (other / ".mlflow").exists()
    assert (clone / "reports/index.html").read_bytes() == (other / "reports/index.html").read_bytes()


@pytest.mark.parametrize(("arguments", "wanted"), [
    (("stages.download", "--domain", "moon"), "error: unknown domain moon; known are campus"),
    (("stages.train", "--fold", "moon", "--seed", "0"), "folds/moon.json is missing; run `dvc repro partition`"),
    (("stages.evaluate", "--fold", "moon"), "folds/moon.json is missing"),
])  # fmt: skip
def test_a_name_that_does_not_exist_is_one_clear_line(clone, arguments, wanted):
    done = run(clone, sys.executable, "-m", *arguments, check=False)
    assert done.returncode == 1
    assert wanted in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_parameter_stops_the_pipeline_and_costs_nothing(clone, tmp_path):
    broken = make_clone(tmp_path, {"optim": {"lr": "fast"}})
    done = run(broken, sys.executable, "-m", "stages.partition", check=False)
    assert done.returncode == 1
    assert "error: params.yaml: optim.lr is 'fast'" in done.stderr
    assert not (broken / "data").exists()


def test_every_candidate_is_scored_on_the_held_out_domain_with_its_score_on_the_sources(clone):
    table = pd.read_csv(clone / "results/night/selection.csv")
    assert set(table["test_domain"]) == {"night"}
    scores = pd.read_csv(clone / "results/night/scores.csv")
    for method in ("bn", "metabin"):
        mine = table[table["method"] == method].set_index("step")
        kept = pd.read_csv(clone / f"models/night/{method}/seed-0/selection.csv").set_index("step")
        assert list(mine.index) == list(kept.index) == [1, 2, 3]
        assert mine["source_mAP"].tolist() == kept["source_mAP"].tolist()
        assert kept["chosen"].sum() == 1
        own = scores[scores["method"] == method].set_index("test_domain")
        assert mine.loc[3, "mAP"] == own.loc["night", "mAP"]  # the last is what the headline shows
        assert mine.loc[3, "source_mAP"] == pytest.approx(own[own["role"] == "seen"]["mAP"].mean(), abs=2e-6)


def test_evaluating_without_weights_names_the_file(clone, tmp_path):
    copy = shutil.copytree(clone, tmp_path / "copy", symlinks=True)
    shutil.rmtree(copy / "models/night/bn")
    done = run(copy, sys.executable, "-m", "stages.evaluate", "--fold", "night", check=False)
    assert done.returncode == 1
    assert "models/night/bn/seed-0/config.json is missing; expected is the folder of a training" in done.stderr


def test_a_group_is_held_out_together_by_everything_that_learns_in_episodes(call):
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    protocol = {
        "domains": ["dark"],
        "sources": ["campus", "mall"],
        "groups": {"dark": ["night", "winter"]},
        "baselines": ["half"],
        "meta_learned": ["metabin", "mldg"],
    }
    for section, values in {**TINY, "protocol": protocol, "partition": {"num_train_ids": "all"}}.items():
        params[section] |= values
    YAML().dump(params, Path("params.yaml"))
    for domain in ("dark", "campus", "mall"):
        call("download", "--domain", domain)
    call("partition")
    for method in ("half", "metabin", "mldg"):
        call("train", "--fold", "dark", "--method", method, "--seed", "0")
    call("train", "--fold", "final", "--method", "metabin", "--seed", "0")
    for stage in ("evaluate", "rho_probe"):
        call(stage, "--fold", "dark")
    call("report")
    assert "the final model itself has no scores" in Path("reports/report.md").read_text()
    cells = pd.read_csv("reports/matrix.csv").dropna(subset="mAP")
    assert set(cells["held_out"]) == {"dark"}
    assert set(cells["test_domain"]) == {"night", "winter"}  # the sources train with all that they have
    assert {"half", "metabin", "mldg"} < set(cells["method"])
    assert "MetaBIN, campus + mall -&gt; night + winter" in Path("reports/index.html").read_text()
