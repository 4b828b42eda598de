"""Several runs in one workspace: one writer at a time, and one message for the others."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest
from ruamel.yaml import YAML
from stages_in_clone import ROOT, write_params

from metabin import locks
from metabin.config import load_config
from metabin.errors import UserError
from metabin.files import write_text
from stages import layout, side_by_side, workspace
from stages.tools import repro

SITES = ["campus", "night", "plaza"]
TINY = {
    "protocol": {"domains": ["campus"], "sources": ["night", "plaza"], "baselines": ["bn"], "final": []},
    "benchmark": {"num_ids": 6},
    "partition": {"height": 32, "width": 16, "num_train_ids": 4},
    "optim": {"duration": 4, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "candidates": 2},
}


@pytest.fixture
def prepared(call, tmp_path):
    """A folder with the partition of a small benchmark, and trainings of 40 steps."""
    write_params(tmp_path, TINY, {"optim": {"duration": 40}})
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    for site in SITES:
        call("download", "--domain", site)
    call("partition")
    return tmp_path


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_same_training_in_a_second_shell_is_refused_and_the_first_one_ends_well(call, prepared, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    key = ("--fold", "campus", "--method", "bn", "--seed", "0")
    command = [sys.executable, "-m", "stages.train", *key]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}) as first:
        wait_for(lambda: list(prepared.glob(".resume/*/candidates/step-20.safetensors")))
        first.send_signal(signal.SIGSTOP)
        message = rf"process {first.pid} on .* trains campus/bn/seed-0 already; wait .* `kill {first.pid}`"
        with pytest.raises(UserError, match=message):
            call("train", *key)
        shutil.rmtree(prepared / "models", ignore_errors=True)  # as DVC does before it starts the second one
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=60) == 0
    output = prepared / layout.training("campus", "bn", 0)
    assert sorted(path.name for path in (output / "candidates").iterdir()) == ["step-20.safetensors"]
    assert (output / "selection.csv").is_file()
    call("train", *key)  # and nothing is left that would refuse it later


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A DVC project in which one stage runs until the file `end` exists, in a process of its own."""
    stage = "touch begun; while ! test -e end; do sleep 0.05; done"
    YAML().dump(
        {"stages": {"train": {"foreach": ["a"], "do": {"cmd": stage, "outs": ["begun"]}}}}, tmp_path / "dvc.yaml"
    )
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], check=True)
    with subprocess.Popen([*dvc, "repro"], stdout=subprocess.DEVNULL) as process:
        wait_for((tmp_path / "begun").exists)
        yield process
        (tmp_path / "end").touch()


def test_a_run_beside_dvc_is_refused_with_the_process_and_goes_on_when_that_ends(project, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    message = (
        rf"process {project.pid} \(.*dvc.* repro\) uses the files of a stage already; wait .* `kill {project.pid}`"
    )
    with pytest.raises(UserError, match=message), workspace.only_run():
        pass
    monkeypatch.setattr(locks, "PATIENCE", 20)
    (tmp_path / "end").touch()
    with workspace.only_run():
        assert project.wait(timeout=20) == 0


def test_a_stage_that_dvc_refuses_because_of_another_process_is_named_in_our_words(project, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    succeeded, text = side_by_side.reproduce("train@a", {})
    assert not succeeded
    assert text.startswith("train@a did not run\nerror: process")
    assert f"process {project.pid} (" in side_by_side.reason(text)
    assert "busy" not in text


@pytest.mark.parametrize("content", ["", '{"write": {"x": {"pid": ', "a number that another program has got"])
def test_what_a_killed_dvc_leaves_in_its_file_refuses_no_run(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(["sleep", "60"]) as other:
        if content.startswith("a number"):
            content = json.dumps({"write": {"x": {"pid": other.pid, "cmd": "dvc repro"}}, "read": {}})
        write_text(workspace.RWLOCK, content)
        with workspace.only_run():
            assert not workspace.RWLOCK.exists() or json.loads(workspace.RWLOCK.read_text())
        other.kill()


ORPHAN = """
import sys
from metabin import locks
from stages import cli, layout

locks.PATIENCE = 0.1

def main():
    with locks.hold(layout.lock("campus-bn-0"), "trains campus/bn/seed-0"):
        print("held", flush=True)
        sys.stdin.read()

cli.run(main)
"""


def test_a_run_that_meets_an_orphan_of_a_killed_one_names_its_process(tmp_path, monkeypatch):
    (tmp_path / "stage.py").write_text(ORPHAN)
    YAML().dump({"stages": {"train": {"cmd": f"{sys.executable} stage.py"}}}, tmp_path / "dvc.yaml")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "stage.py"], **pipes) as orphan:
        orphan.stdout.readline()
        succeeded, text = side_by_side.reproduce("train", {})
        orphan.stdin.close()
    assert not succeeded
    reason = side_by_side.reason(text)
    assert reason.startswith(f"error: process {orphan.pid} on ")
    assert reason.endswith(f"already; wait until it has ended, or end it with `kill {orphan.pid}`")


HOLD = """
import sys
from stages import workspace
with workspace.only_run():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_of_all_stages_is_refused_before_it_touches_anything(prepared, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    monkeypatch.setattr(sys, "argv", ["repro"])
    monkeypatch.setattr("stages.cli.dvc", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD], **pipes) as first:
        first.stdout.readline()
        with pytest.raises(UserError, match=rf"process {first.pid} on .* runs all stages of this workspace already"):
            repro.main()
        first.stdin.close()


STAGE = """
import pathlib, sys
name, output = sys.argv[1:]
with pathlib.Path("runs.log").open("a") as file:
    file.write(name + "\\n")
if pathlib.Path("broken").exists() and name == "train@night":
    raise RuntimeError("no such colour")
pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(output).write_text(name)
"""


def stage(name, **more):
    output = f"out/{name.replace('@', '-')}"
    return {"cmd": f"{sys.executable} stage.py {name} {output}", "outs": [output], **more}


@pytest.fixture
def pipelines(tmp_path, monkeypatch):
    """Two equal projects with the stages of ours, which do nothing."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    first = tmp_path / "plain"
    first.mkdir()
    stages = {
        "partition": stage("partition"),
        "train": {"foreach": SITES, "do": stage("train@${item}", deps=["out/partition"])},
        "baseline": {"foreach": SITES, "do": stage("baseline@${item}", deps=["out/partition"])},
        "evaluate": {
            "foreach": SITES,
            "do": stage("evaluate@${item}", deps=["out/train-${item}", "out/baseline-${item}"]),
        },
        "report": stage("report", deps=[f"out/evaluate-{site}" for site in SITES]),
    }
    YAML().dump({"stages": stages}, first / "dvc.yaml")
    (first / "stage.py").write_text(STAGE)
    for name in ("params.yaml", "protocols"):
        (first / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=first, check=True)
    monkeypatch.setattr(repro, "fork_server", nullcontext)
    monkeypatch.setattr(side_by_side, "needed", lambda name, others: [o for o in others if name == f"evaluate@{o[6:]}"])
    return first, shutil.copytree(first, tmp_path / "side", symlinks=True)


def test_a_training_that_fails_runs_once_and_is_named_and_the_lock_is_then_that_of_dvc_repro(
    pipelines, monkeypatch, capfd
):
    plain, side = pipelines
    monkeypatch.chdir(side)
    (side / "broken").touch()
    with pytest.raises(UserError) as raised:
        repro.run_all(load_config(), None, 2, pull=False)
    assert str(raised.value).splitlines() == [
        "2 of 9 trainings and evaluations have not succeeded:",
        "  train@night: RuntimeError: no such colour",
        "  evaluate@night: not run, since it needs train@night",
        "The whole output of each is above. Run one alone with `dvc repro --single-item train@night`; "
        "the same command as now runs these and what is left",
    ]
    assert "Traceback" in capfd.readouterr().out
    others = {f"{name}@{site}" for name in ("train", "baseline", "evaluate") for site in SITES} - {"evaluate@night"}
    assert sorted((side / "runs.log").read_text().split()) == sorted(["partition", *others])
    (side / "broken").unlink()
    repro.run_all(load_config(), None, 2, pull=False)
    assert (side / "runs.log").read_text().split()[-3:] == ["train@night", "evaluate@night", "report"]
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=plain, check=True)
    assert (side / "dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()
