"""The part of a card that is measured on unseen data sets, and the command that prints a card."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from descriptions import describe_network

from metabin.card.results import Results, read_results, results_text
from metabin.commands import main
from metabin.model.embedder import build_embedder
from metabin.model.weights import save_model

FOLDS = ("left", "right")


def write_fold(folder, fold, method_scores, digest):
    """Write the results of a fold as the stage evaluate does, with two methods."""
    rows = []
    queries = []
    for method, precision in method_scores.items():
        rows.append((fold, method, 0, fold, "unseen", 2, 4, np.mean(precision), 0.1, 0.5, digest))
        rows.append((fold, method, 0, "other", "seen", 2, 4, 0.9, 0.9, 0.9, digest))
        queries += [(fold, method, 0, fold, -1, index // 2, index, AP) for index, AP in enumerate(precision)]
    columns = ["fold", "method", "seed", "test_domain"]
    scores = [*columns, "role", "num_ids", "num_query", "mAP", "mINP", "rank1", "fingerprint"]
    folder.mkdir(parents=True)
    pd.DataFrame(rows, columns=scores).to_csv(folder / "scores.csv", index=False)
    pd.DataFrame(queries, columns=[*columns, "trial", "pid", "query", "AP"]).to_csv(folder / "queries.csv", index=False)
    image = {"path": "secret/0001_c1_1.jpg", "pid": 7, "camid": 3, "distance": 0.25, "correct": False}
    lists = [
        {
            "fold": fold,
            "test_domain": fold,
            "method": "metabin",
            "seed": 0,
            "kind": kind,
            "average_precision": 0.05,
            "query": image,
            "gallery": [image],
        }
        for kind in ("best", "worst")
    ]
    (folder / "ranked_lists.json").write_text(json.dumps(lists))


@pytest.fixture
def results(tmp_path):
    """The folder of two folds; the digests are the first 16 digits of the models' data."""
    for fold, letter in zip(FOLDS, "ab", strict=True):
        scores = {"metabin": [0.05, 0.35, 0.5, 0.7], "bn": [0.1, 0.2, 0.3, 0.4]}
        write_fold(tmp_path / "results" / fold, fold, scores, letter * 16)
    return tmp_path / "results"


@pytest.fixture
def folder(tmp_path):
    """The folder of a final model with a card."""
    network = build_embedder("resnet_small", 5, norm="bin")
    path = tmp_path / "model"
    save_model(path, network, describe_network(network, "resnet_small", "bin", 64, 32))
    (path / "README.md").write_text("# The card\n")
    return path


@pytest.fixture
def description(folder):
    from metabin.model.description import read_description

    return read_description(folder / "config.json")


def test_a_final_model_has_the_unseen_scores_of_its_method_over_the_folds(description, results):
    text = results_text(description, read_results(results))
    low, high = (0.2, 0.6)  # the means of the two people
    assert f"| left | 2 | 4 | 40.0 | {100 * low:.1f} to {100 * high:.1f} | 50.0 | 10.0 |" in text
    assert "| mean |  |  | 40.0 |  | 50.0 | 10.0 |" in text
    assert "`bn` 25.0" in text
    assert "25.0 % of the unseen queries have an average precision (AP) below 10.0 %" in text
    assert "| right | 5.0 | person 7, camera 3 | person 7, camera 3 | 0.25 |" in text
    assert "secret" not in text  # names of files may say who is shown
    assert "90.0" not in text


def test_the_model_of_a_fold_has_its_own_scores_alone(description, results):
    fold = description.model_copy(update={"fold": "right", "held_out": ("right",)})
    text = results_text(fold, read_results(results))
    assert "| right | 2 | 4 |" in text
    assert "left" not in text
    assert "mean |" not in text


def test_scores_on_other_images_of_the_same_name_are_left_out(description, results):
    changed = description.model_copy(update={"domains": {"left": "a" * 64, "right": "c" * 64}})
    text = results_text(changed, read_results(results))
    assert "| left |" in text
    assert "right" not in text


def test_without_scores_of_the_method_nothing_is_added(description, results, tmp_path):
    other = description.model_copy(update={"method": "mldg"})
    assert results_text(other, read_results(results)) == ""
    assert results_text(description, read_results(tmp_path / "nowhere")) == ""


def test_results_hold_unseen_tests_alone(results):
    assert isinstance(read_results(results), Results)
    assert set(read_results(results).scores["test_domain"]) == set(FOLDS)


def run(*args):
    return CliRunner().invoke(main, ["card", *map(str, args)])


def test_the_command_prints_the_card_with_what_was_measured(folder, results):
    done = run(folder, "--results", results)
    assert done.exit_code == 0
    assert done.stdout.startswith("# The card\n\n### Unseen data sets\n")


def test_outside_of_a_project_the_command_prints_the_card_alone(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "model")
    assert run(folder).stdout == "# The card\n"


@pytest.mark.bad_input("file of a stage")
def test_missing_files_are_named_with_what_to_do(folder, tmp_path):
    done = run(folder, "--results", tmp_path / "nowhere")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "nowhere has no folder of a fold with scores.csv; pass" in done.stderr
    (folder / "README.md").unlink()
    assert "README.md is missing; train again" in run(folder).stderr
    assert "does not exist; expected is the folder of a training" in run(tmp_path / "absent").stderr
