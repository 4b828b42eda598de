"""Training, and choosing a checkpoint on the sources, cannot read the held-out domain.

Two proofs, neither of which rests on permissions, which mean nothing to root. While everything is there to be read, an
audit hook writes down every file of the pipeline that the stage opens: they are the sources' own. And where nothing but
these files is there, the stage gives the same bytes; this holds for what no hook sees as well, a child process say.
"""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from stages_in_clone import make_clone, run

TINY = {
    "protocol": {"domains": ["campus", "night", "plaza"], "baselines": ["bn"], "final": []},
    "benchmark": {"num_ids": 8},
    "partition": {"num_train_ids": 4},
    "optim": {"duration": 8, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "checkpoint_every": 3},
}
PERMITTED = {"data/partition/folds/night.json"} | {
    f"data/partition/{source}.{kind}" for source in ("campus", "plaza") for kind in ("csv", "npy")
}
# Runs before the stage, in its process: whatever is opened, by whatever code, and also where the error is swallowed.
WATCH = """
import os, sys
log = open(sys.argv.pop(1), "w", buffering=1)
here = os.path.realpath(".")
def hook(event, args):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(args[0], (str, bytes, os.PathLike)):
        path = os.path.relpath(os.path.realpath(os.fsdecode(args[0])), here)
        if path.split(os.sep)[0] in ("data", "results", "reports"):
            log.write(path + "\\n")
sys.addaudithook(hook)
"""
STAGE = """
import runpy
runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
"""
KILL = """
import os
from metabin.engine import trainer
save, times = trainer.save_state, []
def save_and_die(*args):
    save(*args)
    times.append(1)
    if len(times) == 2:
        os._exit(9)
trainer.save_state = save_and_die
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with data, and with files that say how an earlier training did on the held-out domain."""
    folder = make_clone(tmp_path_factory.mktemp("clone"), TINY)
    run(folder, "dvc", "repro", "partition")
    (folder / "results/night").mkdir(parents=True)
    (folder / "results/night/scores.csv").write_text("fold,mAP\nnight,0.5\n")
    return folder


def train(folder, method, *, code=WATCH + STAGE, check=True):
    """Run the train stage with the hook; its outputs as bytes, and all that it opened."""
    log = folder / "opened.txt"
    arguments = (str(log), "--fold", "night", "--method", method, "--seed", "0")
    done = run(folder, sys.executable, "-c", code, *arguments, check=check)
    training = folder / "models/night" / method / "seed-0"
    outputs = {str(path.relative_to(training)): path.read_bytes() for path in training.rglob("*") if path.is_file()}
    return outputs, set(log.read_text().splitlines()), done


@pytest.mark.parametrize("method", ["bn", "metabin"])
def test_training_and_choosing_open_the_sources_alone_and_need_nothing_else(clone, method, tmp_path):
    outputs, opened, _ = train(clone, method)
    assert opened == PERMITTED
    assert (clone / "data/partition/night.npy").is_file()  # it was there to be read
    assert {"model.safetensors", "candidates/step-2.safetensors", "selection.csv"} <= outputs.keys()

    alone = shutil.copytree(clone, tmp_path / "alone", symlinks=True)
    for name in ("data", "results", "models", ".dvc", ".git"):  # .dvc has a cache of them
        shutil.rmtree(alone / name)
    for name in PERMITTED:
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clone / name, alone / name)
    assert train(alone, method)[:2] == (outputs, PERMITTED)


def test_sources_that_do_not_train_do_not_choose(clone, tmp_path):
    one = shutil.copytree(clone, tmp_path / "one", ignore=shutil.ignore_patterns("models", ".git"), symlinks=True)
    params = one / "params.yaml"
    params.write_text(params.read_text().replace("num_sources: all", "num_sources: 1"))
    _, opened, _ = train(one, "bn")
    assert opened == {name for name in PERMITTED if "plaza" not in name}


@pytest.mark.parametrize(
    "read",
    [
        "open('data/partition/night.csv')",
        "__import__('numpy').load('data/partition/night.npy', mmap_mode='r')",
        "__import__('PIL.Image').Image.open(next(__import__('pathlib').Path('data/raw/night').glob('*.jpg')))",
        "open('data/partition/overlaps/night.json')",
        "open('results/night/scores.csv')",
        "os.open('data/partition/night.npy', os.O_RDONLY)",
    ],
)
def test_the_hook_sees_what_is_read_however_it_is_read(clone, read):
    code = f"{WATCH}\ntry:\n    {read}\nexcept Exception:\n    pass\n"
    log = clone / "seen.txt"
    subprocess.run([sys.executable, "-c", code, str(log)], cwd=clone, check=True)
    assert set(log.read_text().splitlines()) - PERMITTED


def test_the_chosen_step_is_the_best_on_the_sources_and_the_last_where_they_have_no_test(clone, tmp_path):
    train(clone, "bn")
    table = pd.read_csv(clone / "models/night/bn/seed-0/selection.csv")
    assert table["step"].tolist() == [2, 4, 6, 8]
    best = table["source_mAP"].max()
    assert table[table["chosen"]]["step"].tolist() == [table[table["source_mAP"] == best]["step"].max()]

    untested = shutil.copytree(clone, tmp_path / "untested", ignore=shutil.ignore_patterns("models", ".git"))
    path = untested / "data/partition/folds/night.json"
    manifest = json.loads(path.read_text())
    for source in manifest["sources"]:
        manifest["domains"][source]["rows"] |= {"query": [], "gallery": []}  # as num_train_ids: all leaves them
    path.write_text(json.dumps(manifest))
    train(untested, "bn")
    text = (untested / "models/night/bn/seed-0/selection.csv").read_text()
    assert text == "step,source_mAP,chosen\n2,,False\n4,,False\n6,,False\n8,,True\n"


def test_a_training_that_is_killed_has_the_same_candidates_although_it_has_left_no_output(clone, tmp_path):
    folder = shutil.copytree(clone, tmp_path / "killed", ignore=shutil.ignore_patterns("models", ".resume", ".git"))
    wanted, _, _ = train(folder, "metabin")
    shutil.rmtree(folder / "models")
    partial, _, done = train(folder, "metabin", code=WATCH + KILL + STAGE, check=False)
    assert done.returncode == 9
    assert partial == {}  # `dvc repro` would remove it
    kept = sorted(path.name for path in (folder / ".resume").rglob("*.safetensors"))
    assert kept == [f"step-{step}.safetensors" for step in (2, 4, 6)]
    found, _, done = train(folder, "metabin")
    assert found == wanted
    assert "8 of 8 steps" in done.stdout
    assert "2 of 8 steps" not in done.stdout  # it went on at step 6
    assert list((folder / ".resume").iterdir()) == []
