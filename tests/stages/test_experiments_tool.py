"""The table of `make experiments`, from what `dvc exp show --json` prints."""

import pytest

from stages.tools import experiments

METHODS = ("bn", "in", "bin_fixed", "bin_joint", "metabin")
PARAMS = {"optim": {"lr": 0.01, "milestones": []}, "meta": {"inner_lr": 1.0, "inner_period": 40}}


def state(rev, unseen=0.25, **changes):
    """A state of DVC, with parameters of `meta` changed."""
    metrics = {"unseen_mAP": dict.fromkeys(METHODS, unseen), "seen_mAP": dict.fromkeys(METHODS[1:], 0.5)}
    return {
        "rev": rev,
        "name": None,
        "data": {
            "params": {"params.yaml": {"data": PARAMS | {"meta": PARAMS["meta"] | changes}}},
            "metrics": {"reports/metrics.json": {"data": metrics}},
        },
        "experiments": None,
    }


def experiment(name, *, progress=None, **state_values):
    executor = {"state": progress} if progress else None
    return {"name": name, "executor": executor, "revs": [state("b7359ff0", **state_values)]}


@pytest.fixture
def text():
    """Two commits; the second one has no metrics and an experiment without a name or data."""
    branch = state("0123456789") | {"name": "master"}
    branch["experiments"] = [
        experiment("slow-inner", unseen=0.3333, inner_lr=0.1),
        experiment("both", progress="running", inner_lr=0.3, inner_period=20),
        experiment("x" * 60, inner_lr=[0.5] * 60),
    ]
    old = state("89abcdef01") | {"data": None}
    old["experiments"] = [experiment(None, progress="failed")]
    old["experiments"][0]["revs"][0]["data"] = None
    return experiments.as_text(list(experiments.rows([state("workspace", inner_lr=0.2), branch, old])))


def test_a_row_has_the_changes_to_its_commit_and_the_scores_in_percent(text):
    unseen, seen = (part.splitlines() for part in text.split("\n\n"))
    assert unseen[0].split() == ["Unseen", "mAP,", "percent", "changed", *METHODS]
    assert seen[0].split() == ["Seen", "mAP,", "percent", *METHODS[1:]]
    assert unseen[1].split() == ["workspace", "meta.inner_lr=0.2", *["25.0"] * 5]
    assert unseen[2].split() == ["master", *["25.0"] * 5]
    assert unseen[3].split() == ["slow-inner", "meta.inner_lr=0.1", *["33.3"] * 5]
    assert seen[3].split() == ["slow-inner", *["50.0"] * 4]


def test_an_experiment_that_has_not_ended_has_no_scores(text):
    lines = text.splitlines()
    assert lines[4].split() == ["both", "(running)", "meta.inner_lr=0.3", *["-"] * 5]
    assert lines[5].split() == ["meta.inner_period=20"]
    assert lines[7].split() == ["89abcde", *["-"] * 5]
    assert lines[8].split() == ["b7359ff", "(failed)", *["-"] * 5]


def test_the_table_fits_120_columns(text):
    assert max(len(line) for line in text.splitlines()) <= 120
