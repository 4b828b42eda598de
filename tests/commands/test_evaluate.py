"""`metabin evaluate`: the scores of the pipeline, on data with and without a partition."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from descriptions import describe_network
from PIL import Image
from tiny import refuse, run, succeed

import metabin
from metabin.data import store
from metabin.evaluation.scoring import load_tests, retrieval_scores, score_row
from metabin.files import csv_text
from metabin.inference import evaluation
from metabin.inference.evaluation_partition import from_partition
from metabin.inference.model import ReIDModel
from metabin.model.embedder import build_embedder
from metabin.model.weights import save_model
from metabin.types import Embeddings

MODEL = "models/night/metabin/seed-0"
PARTITION = Path("data/partition")


def evaluate(*arguments):
    return succeed("evaluate", *arguments)


def evaluate_json(*arguments):
    return json.loads(evaluate(*arguments, "--format", "json").stdout)


def written_scores(method):
    """The header and the lines of a method in the table that the pipeline wrote."""
    header, *lines = Path("results/night/scores.csv").read_text().splitlines()
    return [header, *(line for line in lines if line.startswith(f"night,{method},"))]


def require_equal_scores(found, expected):
    """Compare tables in CSV. Embeddings of other batches differ by rounding, which may change the rank of an image."""
    tables = [pd.read_csv(io.StringIO("\n".join(lines))) for lines in (found, expected)]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=1e-4)


def save_small_model(folder, height, width, **values):
    torch.manual_seed(0)
    network = build_embedder("resnet_small", 5, norm="bin", rho=0.5).eval()
    return save_model(folder, network, describe_network(network, "resnet_small", "bin", height, width, **values))


@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_all_tests_of_a_fold_have_the_scores_of_the_pipeline_to_the_last_digit(in_pipeline, method):
    result = evaluate(f"models/night/{method}/seed-0", "--format", "csv")
    assert result.stdout.splitlines() == written_scores(method)
    assert len(result.stdout.splitlines()) == 1 + 3
    assert "campus, plaza: seen; the model trained on this data set, and the test is of its other" in result.stderr


def test_image_files_that_the_api_embeds_have_the_scores_of_the_pipeline(in_pipeline):
    model = metabin.load(MODEL, device="cpu")
    manifest = store.load_manifest(PARTITION, "night")
    roots = store.load_image_roots(PARTITION)
    rows = []
    for test in load_tests(PARTITION, manifest):
        paths = [roots[test.domain] / record.path for record in store.load_records(PARTITION, test.domain)]
        query, gallery = (
            Embeddings(model.embed([paths[row] for row in images.row]), images.pid, images.camid)
            for images in (test.query, test.gallery)
        )
        rows.append(score_row(retrieval_scores(query, gallery), test))
    columns = ["test_domain", "role", "num_ids", "num_query", "mAP", "mINP", "rank1", "rank5", "rank10"]
    expected = [",".join(line.split(",")[3:12]) for line in written_scores("metabin")]
    require_equal_scores(csv_text(pd.DataFrame(rows)[columns]).splitlines(), expected)


def test_a_backend_that_returns_embeddings_of_unit_length_has_the_same_scores(in_pipeline):
    """An ONNX file is such a backend."""
    model = metabin.load(MODEL, device="cpu")
    exported = ReIDModel(model.description, model.embed_pixels)
    scores = evaluation.evaluate(exported, from_partition(PARTITION, ["night"], fold="night")).scores
    require_equal_scores(csv_text(scores).splitlines(), written_scores("metabin")[:2])


def test_a_data_set_without_a_partition_has_the_scores_of_a_held_out_domain(in_pipeline):
    result = evaluate(MODEL, "--data", "data/raw", "--domain", "night", "--format", "csv")
    header, night, *_ = written_scores("metabin")
    assert result.stdout.splitlines() == [header, night.removeprefix("night")]  # the fold is empty


def test_text_has_percent_and_json_has_fractions(in_pipeline):
    lines = evaluate(MODEL, "--domain", "night").stdout.splitlines()
    assert lines[0].split()[:3] == ["data", "set", "role"]
    (row,) = evaluate_json(MODEL, "--domain", "night")
    assert row["mAP_trial_std"] is None
    numbers = [f"{100 * row[name]:.1f}" for name in ("mAP", "mINP", "rank1", "rank5", "rank10")]
    assert lines[1].split() == ["night", "unseen", "8", "64", "1", *numbers]
    assert row["mAP"] == float(written_scores("metabin")[1].split(",")[7])


def test_a_model_of_another_size_reads_the_image_files(in_pipeline, tmp_path):
    save_small_model(tmp_path / "model", 48, 24, fold="night")
    from_partition = evaluate(tmp_path / "model", "--domain", "night", "--format", "json")
    assert "night: the partition holds images of 32x16, and the model takes 48x24" in from_partition.stderr
    from_files = evaluate(tmp_path / "model", "--data", "data/raw", "--domain", "night", "--format", "json")
    assert "the partition holds" not in from_files.stderr
    rows = [json.loads(result.stdout)[0] for result in (from_partition, from_files)]
    assert rows[0] == rows[1] | {"fold": "night"}


@pytest.mark.bad_input("file of a stage")
def test_a_model_of_another_size_without_image_files_is_refused_with_advice(in_pipeline, tmp_path, monkeypatch):
    save_small_model(tmp_path / "model", 48, 24, fold="night")
    shutil.copytree("data/partition", tmp_path / "copy/data/partition")
    monkeypatch.chdir(tmp_path)
    message = refuse("evaluate", "model", "--domain", "night", "--partition", "copy/data/partition")
    assert "the model takes images of 48x24, which the partition does not hold" in message
    assert "set partition.height and partition.width to the model's size" in message
    shutil.copytree(in_pipeline / "data/raw", tmp_path / "copy/data/raw")  # now beside the partition
    evaluate("model", "--domain", "night", "--partition", "copy/data/partition")


@pytest.fixture
def own_site(in_pipeline, tmp_path):
    """A folder with my_site.csv: four people of the domain night with two images each."""
    rows = []
    for pid in range(1, 5):
        for camera, split in ((1, "query"), (2, "gallery")):
            name = f"{pid:04d}_c{camera}_1.jpg"
            shutil.copy(in_pipeline / "data/raw/night" / name, tmp_path / name)
            rows.append({"path": name, "pid": pid, "camid": camera, "domain": "my_site", "split": split})
    pd.DataFrame(rows).to_csv(tmp_path / "my_site.csv", index=False)
    return tmp_path


def test_a_csv_file_is_named_by_its_path_or_by_its_folder_and_name(own_site):
    results = [
        evaluate(MODEL, *arguments, "--format", "json")
        for arguments in (
            ("--domain", own_site / "my_site.csv"),
            ("--data", own_site, "--domain", "my_site"),
            ("--data", own_site, "--domain", "my_site.csv"),
        )
    ]
    assert results[0].stdout == results[1].stdout == results[2].stdout
    (row,) = json.loads(results[0].stdout)
    assert (row["test_domain"], row["role"], row["num_ids"], row["num_query"]) == ("my_site", "unseen", 4, 4)
    model = metabin.load(MODEL, device="cpu")
    query, gallery = (
        model.embed([own_site / f"{pid:04d}_c{camera}_1.jpg" for pid in range(1, 5)]) for camera in (1, 2)
    )
    nearest = metabin.similarity(query, gallery).argmax(axis=1)
    assert row["rank1"] == np.mean(nearest == np.arange(4))


def test_a_folder_in_the_layout_of_market1501_has_the_scores_of_the_csv_file(own_site):
    for part, names in (
        ("bounding_box_train", ["0009_c1_1.jpg"]),
        ("query", [f"{pid:04d}_c1_1.jpg" for pid in range(1, 5)]),
        ("bounding_box_test", [f"{pid:04d}_c2_1.jpg" for pid in range(1, 5)]),
    ):
        (own_site / "shop" / part).mkdir(parents=True)
        for name in names:
            source = own_site / name
            shutil.copy(source if source.exists() else own_site / "0001_c1_1.jpg", own_site / "shop" / part / name)
    names = ("fingerprint", "test_domain")
    (of_csv,) = evaluate_json(MODEL, "--data", own_site, "--domain", "my_site")
    (of_folder,) = evaluate_json(MODEL, "--data", own_site, "--domain", "shop")
    assert of_folder | dict.fromkeys(names) == of_csv | dict.fromkeys(names)


@pytest.mark.bad_input("list or table")
def test_a_data_set_that_cannot_be_scored_is_refused(own_site):
    table = pd.read_csv(own_site / "my_site.csv")
    table.assign(camid=1).to_csv(own_site / "my_site.csv", index=False)
    message = refuse("evaluate", MODEL, "--domain", own_site / "my_site.csv")
    assert "it cannot be tested: none of the 4 queries has a match" in message


@pytest.mark.bad_input("image")
def test_an_unreadable_image_is_named(own_site):
    (own_site / "0003_c2_1.jpg").write_bytes(b"no image")
    message = refuse("evaluate", MODEL, "--domain", own_site / "my_site.csv")
    assert message.startswith(f"{own_site}/0003_c2_1.jpg cannot be read as an image")


def test_a_data_set_that_the_model_has_seen_is_named(in_pipeline, tmp_path):
    fingerprint = store.load_manifest(PARTITION, "night")["domains"]["night"]["fingerprint"]
    for folder, domains, sentence in (
        ("same", {"night": fingerprint}, "trained on this data set, and tested images may be training images"),
        ("name", {"other": fingerprint}, "trained on this data set by the name other, and tested images may be"),
        ("images", {"night": "a" * 64}, "trained on other images of a data set of this name, and tested"),
    ):
        save_small_model(tmp_path / folder, 32, 16, fold="night", domains=domains)
        result = evaluate(tmp_path / folder, "--domain", "night")
        assert result.stdout.splitlines()[1].split()[:2] == ["night", "seen"]
        assert f"remark: night: seen; the model {sentence}" in result.stderr
    assert "remark" not in evaluate(MODEL, "--domain", "night").stderr


def test_without_its_own_fold_a_model_is_tested_in_the_first_that_holds_the_domain_out(in_pipeline, tmp_path):
    save_small_model(tmp_path, 32, 16, fold="elsewhere")
    rows = evaluate_json(tmp_path, "--domain", "plaza", "--domain", "night")
    tested = [(row["fold"], row["test_domain"], row["num_ids"]) for row in rows]
    assert tested == [("campus", "plaza", 4), ("night", "night", 8)]
    (row,) = evaluate_json(tmp_path, "--domain", "campus", "--fold", "night")
    assert row["num_ids"] == 4
    assert "does not have the model's fold; name data sets with --domain" in refuse("evaluate", tmp_path)


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--domain", "moon"), "unknown domain moon; data/partition has campus, night, plaza. For a data set outside"),
        (("--domain", "moon", "--fold", "night"), "unknown domain moon; data/partition has campus, night, plaza"),
        (("--fold", "moon"), "unknown fold moon; data/partition has campus, final, night"),
        (("--partition", "nowhere"), "nowhere is no partition: it has no folds/*.json. Run `dvc repro partition`"),
        (("--data", "data/raw"), "--data data/raw needs --domain with the name of a data set in it"),
        (("--data", "data/raw", "--domain", "moon"), "unknown data set moon; expected is one of market1501, "),
        (("--data", "data/raw", "--domain", "market1501"), "market1501"),
        (("--data", "data/raw", "--domain", "night", "--fold", "night"), "--fold is of a partition"),
        (("--domain", "moon.csv"), "moon.csv does not exist; expected is the CSV file of a data set"),
        (("--domain", "moon.csv", "--domain", "night"), "evaluate them one by one"),
    ],
)
def test_bad_input_is_one_clear_line(in_pipeline, arguments, message):
    assert message in refuse("evaluate", MODEL, *arguments)
    assert len(run("evaluate", MODEL, *arguments).output.splitlines()) == 1


@pytest.mark.bad_input("file of a stage")
def test_a_source_of_which_every_image_trains_has_no_test(in_pipeline, tmp_path):
    shutil.copytree("data/partition", tmp_path / "partition")
    for fold in ("campus", "final", "night"):
        manifest = store.load_manifest(tmp_path / "partition", fold)
        manifest["domains"]["plaza"]["rows"] |= {"query": [], "gallery": []}
        store.save_manifest(tmp_path / "partition", manifest)
    options = ("--partition", tmp_path / "partition", "--domain", "plaza")
    assert "tests plaza: all its images train" in refuse("evaluate", MODEL, *options)
    message = refuse("evaluate", MODEL, *options, "--fold", "night")
    assert "the fold night does not test plaza; it tests " in message


@pytest.mark.bad_input("file of a stage")
def test_a_fold_that_tests_nothing_is_refused(in_pipeline, tmp_path):
    shutil.copytree("data/partition", tmp_path / "partition")
    manifest = store.load_manifest(tmp_path / "partition", "final")
    for entry in manifest["domains"].values():
        entry["rows"] |= {"query": [], "gallery": []}
    store.save_manifest(tmp_path / "partition", manifest)
    options = ("--partition", tmp_path / "partition", "--fold", "final")
    assert "the fold final tests nothing: all images train. Name data sets" in refuse("evaluate", MODEL, *options)


def test_random_splits_are_averaged_and_counted(in_pipeline, tmp_path):
    shutil.copytree("data/partition", tmp_path / "partition")
    manifest = store.load_manifest(tmp_path / "partition", "night")
    halves = [{"query": [[0, 32]], "gallery": [[0, 32]]}, {"query": [[32, 64]], "gallery": [[32, 64]]}]
    manifest["domains"]["night"]["trials"] = halves
    store.save_manifest(tmp_path / "partition", manifest)
    options = ("--partition", tmp_path / "partition", "--domain", "night", "--format", "json")
    (row,) = json.loads(evaluate(MODEL, *options).stdout)
    tests = [test for test in load_tests(tmp_path / "partition", manifest) if test.domain == "night"]
    model = metabin.load(MODEL, device="cpu")
    images = [test.query for test in tests]
    features = [model.embed(part.images(np.arange(32))) for part in images]
    scores = [
        retrieval_scores(*2 * [Embeddings(values, part.pid, part.camid)])
        for values, part in zip(features, images, strict=True)
    ]
    assert (row["num_trials"], row["num_query"]) == (2, 32)
    assert row["mAP"] == pytest.approx(np.mean([score.mAP for score in scores]), abs=1e-6)
    assert row["mAP_trial_std"] == pytest.approx(np.std([score.mAP for score in scores], ddof=1), abs=1e-6)


def test_images_are_opened_only_where_they_are_needed(in_pipeline, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("an image was opened")

    monkeypatch.setattr(Image, "open", refuse)
    evaluate(MODEL, "--domain", "night")  # its pixels are in the partition
