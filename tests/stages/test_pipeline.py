"""The pipeline as a user runs it: `dvc repro` in a clone, on a tiny benchmark."""

import json
import shutil
import sys
from pathlib import Path

import browser
import mlflow_server
import pandas as pd
import pytest
from ruamel.yaml import YAML
from stages_in_clone import ROOT, make_clone, run

from metabin.tracking.rho_pictures import HEIGHT

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


RUNS = """
import json, sys, mlflow
mlflow.set_experiment("metabin")
client = mlflow.MlflowClient()
runs = client.search_runs([client.get_experiment_by_name("metabin").experiment_id])
(parent,) = [run for run in runs if run.info.run_name == sys.argv[1]]
trainings = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id}
files = [item.path for path in (None, "figures", "results") for item in client.list_artifacts(parent.info.run_id, path)]
curves = {
    name: {key: [point.value for point in client.get_metric_history(run.info.run_id, key)] for key in run.data.metrics}
    for name, run in trainings.items()
}
(example,) = [run.info.run_id for name, run in trainings.items() if name.startswith("MetaBIN, night held out")]
print(json.dumps({
    "statuses": sorted({run.info.status for run in runs}),
    "num_runs": len(runs),
    "name": parent.info.run_name,
    "metrics": parent.data.metrics,
    "params": parent.data.params,
    "note": parent.data.tags["mlflow.note.content"],
    "files": files,
    "curves": curves,
    "address": f"#/experiments/{parent.info.experiment_id}/runs/{example}/model-metrics",
    "images": sorted({item.path.split("+timestamp")[0] for item in client.list_artifacts(example, "images")}),
    "matrix": mlflow.load_table("results/mAP.json", run_ids=[parent.info.run_id]).to_dict("list"),
    "trainings": mlflow.load_table("trainings.json", run_ids=[parent.info.run_id]).to_dict("list"),
}))
"""
NAMES = [f"{method}, {fold} held out" for method in ("BN", "MetaBIN") for fold in ("campus", "night")]


def recorded(clone, store, experiment="default"):
    """What MLflow has of one experiment, in plain values."""
    done = run(clone, sys.executable, "-c", RUNS, experiment, server=f"sqlite:///{store}")
    return json.loads(done.stdout.splitlines()[-1])


def test_mlflow_shows_what_was_compared_what_came_out_and_where_the_report_is(clone):
    shown = recorded(clone, ".mlflow/mlflow.db")
    assert (shown["statuses"], shown["num_runs"], shown["name"]) == (["FINISHED"], 6, "default")
    assert shown["params"] == {"changed": "nothing"}
    summary = json.loads((clone / "reports/summary.json").read_text())["metabin"]
    assert len(shown["metrics"]) <= 12
    assert shown["metrics"]["unseen_mAP/metabin"] == pytest.approx(100 * summary["unseen"]["mAP"], abs=0.01)
    assert {"metabin_minus_bn", "metabin_minus_bn/low", "seen_mAP/bn"} < set(shown["metrics"])
    assert shown["matrix"]["method"] == ["BN", "MetaBIN", "Colour stripes", "Mean colour", "Chance"]
    assert shown["matrix"]["unseen mean"][1] == shown["metrics"]["unseen_mAP/metabin"]
    assert list(shown["matrix"])[3:] == ["campus (unseen)", "night (unseen)"]
    first_row = shown["note"].splitlines()[2]
    assert first_row.startswith(f"| MetaBIN | {100 * summary['unseen']['mAP']:.1f} |")
    assert "/artifacts/index.html)" in shown["note"]
    # The people are synthetic, so their images may be uploaded.
    expected = {
        "index.html",
        "rho.html",
        "report.md",
        *(f"figures/samples_{name}.png" for name in TINY["protocol"]["domains"]),
    }
    assert expected < set(shown["files"])
    assert sorted(shown["curves"]) == sorted([*NAMES, "MetaBIN, all domains"])
    training = shown["curves"]["MetaBIN, night held out"]
    assert len([key for key in training if not key.startswith("system/gpu")]) <= 25
    score = pd.read_csv(clone / "results/night/scores.csv").query("method == 'metabin' and role == 'unseen'")
    assert training["unseen_mAP"] == [pytest.approx(100 * score["mAP"].item(), abs=0.01)]
    assert all(shown["trainings"]["is_below"])


def test_results_that_no_stage_recorded_are_recorded_from_their_files(clone):
    outage = "from metabin.tracking import open_run\nwith open_run('parent'): pass"  # as the stage report
    run(clone, sys.executable, "-c", outage, tracking="on", server=f"http://127.0.0.1:{mlflow_server.free_port()}")
    done = run(clone, sys.executable, "-m", "stages.tools.deliver", server="sqlite:///later.db")
    assert done.stdout.endswith("delivered to MLflow: the results of default\nno record waits any more\n")
    again = run(clone, sys.executable, "-m", "stages.tools.deliver", server="sqlite:///later.db")
    assert again.stdout == "no record waits any more\n"
    live, later = (recorded(clone, store) for store in (".mlflow/mlflow.db", "later.db"))
    for name, curves in live["curves"].items():
        with_curves = {key: values for key, values in curves.items() if not key.startswith("system/")}
        assert set(later["curves"][name]) == set(with_curves)
        for key, values in with_curves.items():
            tolerance = 0.003 if key.startswith("rho") else 1e-5  # digits of the files
            assert later["curves"][name][key] == pytest.approx(values, rel=1e-5, abs=tolerance)
    assert (later["metrics"], later["matrix"], later["images"]) == (live["metrics"], live["matrix"], live["images"])
    assert "up to date" in run(clone, "dvc", "status").stdout


@pytest.fixture(scope="module")
def ui(clone):
    """The address that `make ui` prints, while its server runs."""
    port, log = mlflow_server.free_port(), clone / ".mlflow" / "ui.log"
    command = (sys.executable, "-m", "stages.tools.ui", "--port", str(port))
    with mlflow_server.started(command, port, log, DVC_ROOT=str(clone), PYTHONPATH=str(clone)):
        yield log.read_text().partition("== MLflow: ")[2].split()[0]


def test_the_first_page_of_mlflow_shows_the_experiment_with_its_results(clone, ui):
    value = recorded(clone, ".mlflow/mlflow.db")["metrics"]["unseen_mAP/metabin"]
    with browser.opened(ui, width=1440) as page:
        page.get_by_text("unseen_mAP/metabin").wait_for()
        page.get_by_text(f"{value:g}", exact=True).first.wait_for()
        text = page.inner_text("body")
        assert all(part in text for part in ("changed", "nothing", "Newest: default, unseen mAP in percent: MetaBIN"))


def test_the_page_of_an_experiment_begins_with_the_results_and_leads_to_the_report(clone, ui):
    with browser.opened(ui, width=1440) as page:
        page.get_by_role("link", name="default", exact=True).last.click()
        page.get_by_role("cell", name="MetaBIN").first.wait_for()
        link = page.get_by_role("link", name="The whole report").first.get_attribute("href")
        page.goto(ui.partition("#")[0] + link)
        report = page.frame_locator("iframe").get_by_role("heading", name="MetaBIN, leave one domain out")
        report.wait_for()


# The rectangle of every picture, and the part of its tile that shows it.
TILES = """
() => [...document.images].filter(image => /^blob:|artifact/.test(image.src)).map(image => {
  let tile = image.parentElement;
  while (getComputedStyle(tile).overflowY === "visible") tile = tile.parentElement;
  return [image, tile].map(element => element.getBoundingClientRect().toJSON());
})
"""


@pytest.mark.parametrize("width", [1280, 1440, 1920])
def test_the_pictures_of_rho_show_whole_in_the_tiles_of_mlflow(clone, ui, width):
    address = recorded(clone, ".mlflow/mlflow.db")["address"]
    with browser.opened(f"{ui.partition('#')[0]}{address}?workflowType=machine_learning", width=width) as page:
        page.get_by_text("Rho layers").first.scroll_into_view_if_needed()
        page.wait_for_function("document.images.length >= 3 && [...document.images].every(image => image.naturalWidth)")
        tiles = page.evaluate(TILES)
    assert len(tiles) == 3  # all layers, stem to block1, block2 to block4
    for picture, tile in tiles:
        assert tile["left"] <= picture["left"]
        assert picture["right"] <= tile["right"]
        assert tile["top"] <= picture["top"]
        assert tile["bottom"] - picture["top"] >= HEIGHT


@pytest.mark.parametrize("width", [1440, 390])
def test_the_report_fits_a_screen_and_a_telephone(clone, width):
    with browser.opened(clone / "reports/index.html", width=width) as page:
        assert browser.overflow(page) <= 0
        assert browser.broken_images(page) == []


def test_the_printed_report_is_no_wider_than_a_page(clone):
    width = 794 - 2 * 38  # pixels of an A4 page between margins of one centimetre
    with browser.opened(clone / "reports/index.html", width=width) as page:
        page.emulate_media(media="print")
        assert browser.overflow(page) <= 0
        too_wide = (
            "[...document.querySelectorAll('img, table')].filter(e => e.getBoundingClientRect().width > innerWidth)"
        )
        assert page.evaluate(f"{too_wide}.map(e => e.alt || e.innerText.slice(0, 80))") == []


def test_the_page_of_rho_follows_the_slider_and_the_keys(clone):
    with browser.opened(clone / "reports/rho.html") as page:
        page.select_option("#method", label="MetaBIN")
        last = page.inner_text("#numbers")
        assert "step 2" in last
        page.locator("#step").press("Home")
        assert "step 0" in page.inner_text("#numbers")
        page.locator("#heat").press("ArrowRight")
        assert page.inner_text("#numbers").split(",")[0] != last.split(",")[0]
        page.set_viewport_size({"width": 390, "height": 800})
        assert browser.overflow(page) <= 0


def test_another_clone_without_tracking_and_with_stages_side_by_side_gets_the_same_lock(clone, tmp_path):
    other = make_clone(tmp_path, TINY)
    run(other, sys.executable, "-m", "stages.tools.repro", "--jobs", "2")
    locks = [YAML(typ="safe").load(folder / "dvc.lock") for folder in (clone, other)]
    assert locks[0] == locks[1]
    assert not (other / ".mlflow").exists()
    assert (clone / "reports/index.html").read_bytes() == (other / "reports/index.html").read_bytes()


@pytest.mark.bad_input("command line")
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


def test_an_experiment_is_named_after_its_changes_and_says_where_the_unchanged_trainings_are(clone):
    run(clone, "dvc", "exp", "run", "--name", "slow", "-S", "meta.inner_lr=0.1", tracking="on")
    shown = recorded(clone, ".mlflow/mlflow.db", "slow: inner_lr=0.1")
    assert shown["params"] == {"changed": "inner_lr=0.1", "meta.inner_lr": "0.1"}
    expected = [
        f"MetaBIN, {which}, slow: inner_lr=0.1" for which in ("all domains", "campus held out", "night held out")
    ]
    assert sorted(shown["curves"]) == expected
    assert "2 of 5 trainings are unchanged" in shown["note"]
    below = dict(zip(shown["trainings"]["run"], shown["trainings"]["is_below"], strict=True))
    assert below == {**dict.fromkeys(expected, True), "BN, campus held out": False, "BN, night held out": False}
