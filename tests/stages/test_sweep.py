"""A sweep proposes parameters, trains in a clone, scores on the sources, and goes on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from metabin import locks
from metabin.config import load_config, read_values
from metabin.config.editing import flatten
from metabin.errors import ConfigError, UserError
from stages import layout
from stages.sweeps import results, study
from stages.sweeps.plan import Plan, read_plan, require_fit
from stages.sweeps.trials import TrialError
from stages.tools.sweep import main

PLAN = {
    "method": "metabin",
    "trials": 4,
    "folds": ["campus", "night"],
    "parameters": {
        "meta.inner_lr": {"low": 0.05, "high": 5.0, "log": True},
        "meta.combined": {"choices": [True, False]},
    },
}
PRESENT = {"meta.inner_lr": 1.0, "meta.combined": False}


def changed(**values):
    return {**PLAN, **values}


def tried(key, **values):
    return changed(parameters={key: values})


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("", "file: Input should be a valid dictionary"),
        (changed(trials=0), "trials: Input should be greater than 0"),
        (changed(trial=3), "trial: Extra inputs are not permitted"),
        (changed(parameters={}), "need an entry"),
        (changed(folds=[]), "need an entry"),
        (tried("meta.inner_lr", low=2.0, high=1.0), r"low is 2.0, which is not below high, 1.0"),
        (tried("meta.inner_lr", low=0.0, high=1.0, log=True), "log needs low above 0"),
        (tried("meta.inner_lr", low=1.0), "high: Field required"),
        (tried("meta.inner_lr", choices=[1]), "at least 2 items"),
        (tried("meta.inner_lr", choices=[1, 2], low=1), "low: Extra inputs"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path, content, message):
    path = tmp_path / "sweep.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=message):
        read_plan(path)


@pytest.mark.bad_input("parameters")
def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"sweep.yaml cannot be read: .*No such file"):
        read_plan(tmp_path / "sweep.yaml")


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(method="osnet"), "method is osnet, which params.yaml does not train; it trains .*metabin"),
        (changed(folds=["campus", "moon"]), "folds: moon is unknown; known are .*campus"),
        (tried("meta.inner", low=1, high=2), "meta.inner is unknown"),
        (tried("partition.height", low=32, high=64), "is not read by a training of metabin, which reads model"),
        ({**tried("meta.inner_lr", low=0.1, high=1.0), "method": "bn"}, "is not read by a training of bn"),
    ],
)
def test_a_sweep_that_does_not_fit_the_parameters_is_refused(root, monkeypatch, content, message):
    monkeypatch.chdir(root)
    with pytest.raises(ConfigError, match=message):
        require_fit(Plan.model_validate(content), load_config(), flatten(read_values(Path("params.yaml"))))


@pytest.mark.bad_input("parameters")
def test_without_held_out_identities_there_is_no_score(root, monkeypatch):
    monkeypatch.chdir(root)
    config = load_config()
    partition = config.partition.model_copy(update={"num_train_ids": "all"})
    with pytest.raises(ConfigError, match=r"num_train_ids is all: .*the held-out domain must not choose"):
        require_fit(Plan.model_validate(PLAN), config.model_copy(update={"partition": partition}), PRESENT)


def test_the_example_fits_the_default_parameters(root, monkeypatch):
    monkeypatch.chdir(root)
    plan = read_plan(Path("examples/sweep.yaml"))
    require_fit(plan, load_config(), flatten(read_values(Path("params.yaml"))))


class Imitation:
    """A sweep without trainings: the score of a fold is a function of the values."""

    def __init__(self, plan, score):
        self.plan = Plan.model_validate(plan)
        self.folds = self.plan.folds
        self.score = score
        self.finished = {}

    def scores(self, number, values):
        for fold in self.folds:
            yield self.score(number, fold, values)

    def finish(self, number, score):
        self.finished[number] = score


def run(folder, sweep, inputs=None):
    opened = study.open_study(folder / "journal", sweep.plan, inputs or {"the code of metabin": "1"})
    study.propose_again(opened, sweep.plan, PRESENT)
    study.run_trials(opened, sweep, folder / "table.csv")
    return opened


def test_the_present_values_come_first_and_the_best_trial_is_named(tmp_path):
    sweep = Imitation(PLAN, lambda number, fold, values: (2 - values["meta.inner_lr"]) / 10)
    opened = run(tmp_path, sweep)
    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table) == len(sweep.finished) == 4
    first = table.iloc[0]
    assert (first["state"], first["folds"], first["source_mAP"]) == ("complete", 2, pytest.approx(10))
    assert (first["meta.inner_lr"], first["meta.combined"]) == (1.0, False)
    best = table.loc[table["source_mAP"].idxmax()]
    text = results.conclusion(opened, "rates")
    assert f"best of 4 trials: rates-{best['trial']}, source mAP {best['source_mAP']:.1f}" in text
    assert "the present values: rates-0, source mAP 10.0 with meta.inner_lr=1.0, meta.combined=false" in text
    assert f"dvc exp run -S meta.inner_lr={best['meta.inner_lr']} -S meta.combined=" in text


def test_a_trial_worse_than_the_median_is_stopped_after_a_fold(tmp_path):
    sweep = Imitation(changed(trials=8), lambda number, fold, values: 0.5 if number < 6 else 0.4)
    run(tmp_path, sweep)
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table["state"]) == ["complete"] * 6 + ["pruned"] * 2
    assert list(table["folds"]) == [2] * 6 + [1] * 2
    assert set(sweep.finished) == set(range(6))


def test_a_failed_trial_is_named_and_three_in_a_row_end_the_sweep(tmp_path, capsys):
    def score(number, fold, values):
        if number in (1, 3, 4, 5):
            raise TrialError(f"loss of {fold} is not finite")
        return 0.5

    with pytest.raises(UserError, match="3 trials in a row failed, see above"):
        run(tmp_path, Imitation(PLAN, score))
    assert "trial 1 failed: loss of campus is not finite" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table["state"]) == ["complete", "fail", "complete", "fail", "fail", "fail"]


def test_a_killed_sweep_repeats_the_interrupted_trial_and_refuses_other_inputs(tmp_path):
    seen = []

    def score(number, fold, values):
        seen.append((number, fold, values))
        if len(seen) == 4:
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Imitation(PLAN, score))
    interrupted = seen[-1]
    with pytest.raises(UserError, match=r"before a change of the code of metabin, .* another --name"):
        run(tmp_path, Imitation(PLAN, score), inputs={"the code of metabin": "2"})
    run(tmp_path, Imitation(PLAN, score))
    number, fold, values = seen[4]
    assert (number, fold, values) == (2, "campus", interrupted[2])
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table["state"]) == ["complete", "fail", "complete", "complete", "complete"]


TRAINING = """
import os, pathlib, sys, time, yaml
from stages import processes
processes.end_in_order()  # as every stage
fold, method = sys.argv[1:]
rate = yaml.safe_load(open("params.yaml"))["meta"]["inner_lr"]
pathlib.Path(os.environ["STARTED"]).open("a").write(f"{fold} {rate}\\n")
while os.path.exists(os.environ["STARTED"] + ".wait") and fold == "night":
    time.sleep(0.05)
folder = pathlib.Path("models") / fold / method / "seed-0"
folder.mkdir(parents=True)
(folder / "selection.csv").write_text(f"step,source_mAP,chosen\\n1,0.1,False\\n2,{(2 - rate) / 10},True\\n")
"""


@pytest.fixture
def project(root, tmp_path, monkeypatch):
    """A repository with the real parameters, and trainings that only write a score."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STARTED", str(tmp_path / "started"))
    for name, value in {"DVC_NO_ANALYTICS": "1", "METABIN_TRACKING": "off", "PYTHONPATH": str(root)}.items():
        monkeypatch.setenv(name, value)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.invalid")
    Path("params.yaml").write_text((root / "params.yaml").read_text())
    Path("train.py").write_text(TRAINING)
    for name in ("metabin", "stages"):
        Path(name).mkdir()
        Path(name, "code").touch()
    write = "import pathlib; p = pathlib.Path('data/partition/folds'); p.mkdir(parents=True)"
    write += "; [(p / f'{fold}.json').touch() for fold in ('campus', 'night')]"
    command = f"{sys.executable} train.py ${{item.fold}} ${{item.method}}"
    matrix = {"fold": ["campus", "night"], "method": ["metabin"], "seed": [0]}
    stages = {
        "partition": {"cmd": f'{sys.executable} -c "{write}"', "outs": ["data/partition"]},
        "train": {
            "matrix": matrix,
            "cmd": command,
            "deps": ["data/partition/folds/${item.fold}.json"],
            "params": ["meta"],
            "outs": ["models/${item.fold}/${item.method}/seed-${item.seed}"],
        },
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    Path(".gitignore").write_text("/data/\n/models/\n/sweeps/\n")
    Path("sweep.yaml").write_text(yaml.safe_dump({**tried("meta.inner_lr", low=0.1, high=2.0), "trials": 2}))
    commands = ("git init --quiet", "dvc init --quiet", "git add --all", "git commit --quiet --message all")
    for line in commands:
        program, *arguments = line.split()
        called = [sys.executable, "-m", "dvc"] if program == "dvc" else [program]
        subprocess.run([*called, *arguments], check=True, capture_output=True)
    return folder


def sweep(*, code=0):
    command = [sys.executable, "-m", "stages.tools.sweep", "sweep.yaml", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_in_a_repository(project, tmp_path):
    assert "run `dvc repro partition` first" in sweep(code=1)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet", "partition"], check=True)
    Path("metabin/code").write_text("changed")
    assert "changes are not committed" in sweep(code=1)
    Path("metabin/code").write_text("")
    before = Path("params.yaml").read_bytes(), subprocess.check_output(["git", "status", "--porcelain"])
    started = Path(os.environ["STARTED"])
    waits = started.with_name("started.wait")
    waits.touch()
    command = [sys.executable, "-m", "stages.tools.sweep", "sweep.yaml", "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not started.exists() or "night" not in started.read_text():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    waits.unlink()
    printed = sweep()
    assert "best of 2 trials: sweep-2, " in printed
    assert "the present values: sweep-1, source mAP 10.0 with meta.inner_lr=1.0" in printed
    lines = started.read_text().splitlines()
    assert lines[:3] == ["campus 1.0", "night 1.0", "night 1.0"]  # the fold that had ended was restored
    assert len(lines) == 5
    table = pd.read_csv("sweeps/sweep.csv")
    assert list(table["state"]) == ["fail", "complete", "complete"]
    assert table["source_mAP"][1] == pytest.approx(10)
    assert before == (Path("params.yaml").read_bytes(), subprocess.check_output(["git", "status", "--porcelain"]))
    listed = subprocess.check_output([sys.executable, "-m", "dvc", "exp", "list", "--name-only"], text=True)
    assert set(listed.split()) == {"sweep-1", "sweep-2"}


def test_a_second_sweep_of_a_name_is_refused_with_the_process_of_the_first(project, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0)
    monkeypatch.setattr(sys, "argv", ["sweep", "sweep.yaml"])
    with (
        locks.hold(layout.lock("sweep-sweep"), ""),
        pytest.raises(UserError, match=f"process {os.getpid()} on .* runs the sweep sweep already"),
    ):
        main()
