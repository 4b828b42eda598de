"""`make repro`: the parallel runner, what it prints of its stages, and the preset before it."""

import os
import shutil
import subprocess
import sys
import time

import pytest
import yaml
from ruamel.yaml import YAML

from metabin.config import Compute
from stages import side_by_side
from stages.tools.gpus import job_environments

SCRIPT = """
import sys
print("progress: 1 of 4 steps")
print("train/night is not recorded in MLflow: disk full", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


class Silent:
    """A view that shows nothing."""

    def begin(self, name):
        pass

    def end(self, name, text, *, succeeded):
        pass


SILENT = Silent()


def compute(device="auto", devices=1):
    return Compute(device=device, devices=devices, nodes=1, statistics="global", num_threads=1, precision="float32")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a DVC project with a stage that warns and one that fails."""
    (tmp_path / "stage.py").write_text(SCRIPT)
    stages = {name: {"cmd": f"{sys.executable} stage.py {code}"} for name, code in (("warns", 0), ("fails", 3))}
    YAML().dump({"stages": stages}, tmp_path / "dvc.yaml")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)
    return tmp_path


def test_a_warning_of_a_stage_that_succeeds_is_shown_without_its_progress(project):
    succeeded, text = side_by_side.reproduce("warns", {})
    assert succeeded
    head, *lines = text.splitlines()
    assert head.startswith("warns done in ")
    assert lines == ["train/night is not recorded in MLflow: disk full"]


def test_all_output_of_a_stage_that_fails_is_shown(project):
    succeeded, text = side_by_side.reproduce("fails", {})
    assert not succeeded
    assert text.startswith("fails failed after ")
    assert "progress: 1 of 4 steps" in text
    assert "train/night is not recorded in MLflow: disk full" in text
    assert "ERROR: failed to reproduce 'fails'" in text  # DVC's own reason


def test_the_reason_of_dvc_is_shown_where_no_stage_ran(project):
    assert "ERROR: " in side_by_side.reproduce("absent", {})[1]


def test_after_an_interruption_no_further_stage_starts(monkeypatch):
    started = []

    def interrupted(name, slot, **options):
        started.append(name)
        time.sleep(0.02)  # so that not all of them end before the first result is read
        raise KeyboardInterrupt

    monkeypatch.setattr(side_by_side, "reproduce", interrupted)
    with pytest.raises(KeyboardInterrupt):
        side_by_side.reproduce_all([str(number) for number in range(100)], [{}], SILENT)
    assert len(started) < 100


def test_an_evaluation_starts_after_the_trainings_of_its_fold_and_before_those_of_others_end(monkeypatch):
    seconds = {"train@far-metabin-0": 0.05, "baseline@near-bn-0": 1.5}
    events = []

    def run(name, slot, **options):
        events.append(f"start {name}")
        time.sleep(seconds.get(name, 0.05))
        events.append(f"end {name}")
        return True, name

    monkeypatch.setattr(side_by_side, "reproduce", run)
    side_by_side.reproduce_all([*seconds, "evaluate@far", "rho-probe@near"], [{}, {}], SILENT)
    assert events.index("end train@far-metabin-0") < events.index("start evaluate@far")
    assert events.index("end evaluate@far") < events.index("end baseline@near-bn-0")
    assert events.index("end baseline@near-bn-0") < events.index("start rho-probe@near")


def test_jobs_at_the_same_time_have_different_gpus(monkeypatch):
    using = []
    used = []

    def run(name, slot, **options):
        gpu = slot["CUDA_VISIBLE_DEVICES"]
        assert gpu not in using
        using.append(gpu)
        used.append(gpu)
        time.sleep(0.02)
        using.remove(gpu)
        return True, name

    monkeypatch.setattr(side_by_side, "reproduce", run)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5f")
    side_by_side.reproduce_all([str(number) for number in range(8)], job_environments(compute(), None), SILENT)
    assert set(used) == {"2", "GPU-5f"}


def test_a_job_gets_the_environment_of_its_slot(project):
    (project / "stage.py").write_text("import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], file=sys.stderr)")
    assert side_by_side.reproduce("warns", {"CUDA_VISIBLE_DEVICES": "3"})[1].splitlines()[1:] == ["3"]


NVIDIA_SMI = """#!/bin/sh
echo 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-7b)'
echo '  MIG 1g.10gb     Device  0: (UUID: MIG-11)'
echo 'GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-8c)'
"""


@pytest.mark.parametrize(
    ("listed", "gpus"),
    [(None, ["0", "1"]), ("", []), ("-1", []), ("3", ["3"]), ("MIG-11,GPU-8c,-1,0", ["MIG-11", "GPU-8c"])],
)
def test_there_is_one_training_per_gpu_that_the_process_may_use(tmp_path, monkeypatch, listed, gpus):
    program = tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    per_core = [{}] * (os.cpu_count() or 1)
    assert job_environments(compute(), None) == ([{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] or per_core)
    assert job_environments(compute("cpu"), None) == per_core
    assert len(job_environments(compute("cuda"), 5)) == 5  # the option decides, also above the number of GPUs


def test_without_a_driver_there_is_one_training_per_core(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert job_environments(compute(), None) == [{}] * (os.cpu_count() or 1)
    assert job_environments(compute(), 3) == [{}] * 3


def test_a_training_on_several_gpus_is_one_job(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    pairs = [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    assert job_environments(compute(devices=2), None) == pairs
    assert job_environments(compute(devices=2), 3) == [*pairs, pairs[0]]
    assert job_environments(compute(devices=8), None) == [{"CUDA_VISIBLE_DEVICES": "0,1,2,3,4"}]


def commands_of_make(root, *arguments):
    """Return the lines that `make repro` would run, without the installation."""
    command = [shutil.which("make"), "--no-print-directory", "--old-file=setup", "--dry-run", "repro", *arguments]
    environment = {**os.environ, "PRESET": "significance"}  # only an argument names a preset
    environment.pop("JOBS", None)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.startswith("python")]


def test_make_applies_a_preset_only_if_one_is_given_and_before_the_pipeline(root):
    pipeline = "python -m stages.tools.repro"
    assert [line.rstrip() for line in commands_of_make(root)] == [pipeline]
    assert [line.rstrip() for line in commands_of_make(root, "JOBS=2")] == [f"{pipeline} --jobs 2"]
    assert [line.split() for line in commands_of_make(root, "PULL=1")] == [[*pipeline.split(), "--pull"]]
    preset = "python -m stages.tools.params preset quick"
    assert [line.rstrip() for line in commands_of_make(root, "PRESET=quick")] == [preset, pipeline]


def test_the_prefixes_name_stages_of_the_pipeline_trainings_first(root):
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    finals, trainings, evaluations = (
        [prefix.removesuffix("@") for prefix in group]
        for group in (side_by_side.FINAL_TRAININGS, side_by_side.TRAININGS, side_by_side.EVALUATIONS)
    )
    assert {*finals, *trainings, *evaluations} == {"final", "train", "baseline", "evaluate", "rho-probe"}
    names = (*finals, *trainings, *evaluations)
    assert all("foreach" in stages[name] or "matrix" in stages[name] for name in names)
    # `needed` looks for the fold at the start of the items of a matrix
    assert all(next(iter(stages[name]["matrix"])) == "fold" for name in trainings)
    order = list(stages)
    assert max(map(order.index, (*finals, *trainings))) < min(map(order.index, evaluations))


def test_no_evaluation_waits_for_a_final_model():
    trainings = ["final@night-shift", "train@night-metabin-0", "train@noon-metabin-0"]
    assert side_by_side.needed("evaluate@night", trainings) == ["train@night-metabin-0"]
    assert side_by_side.needed("final@night-shift", trainings) == []
