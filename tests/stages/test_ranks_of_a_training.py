"""One training on several processes, started as a user starts it: by params.yaml, on one machine or under Slurm."""

import os
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from ruamel.yaml import YAML
from stages_in_clone import ROOT

from metabin.errors import ConfigError, UserError
from stages.ranks import run_ranks, share_with_ranks

SITES = ["campus", "station", "mall"]
SMALL = {
    "protocol": {"domains": SITES, "baselines": [], "meta_learned": ["metabin"], "final": []},
    "benchmark": {"num_ids": 12},
    "partition": {"height": 32, "width": 16, "num_train_ids": 8},
    "optim": {"duration": 60, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "checkpoint_every": 5, "candidates": 1},
}
# Slurm's srun, as far as it is used: runs a command once per machine.
SRUN = """#!/bin/bash
for option in "$@"; do case $option in --nodes=*) nodes=${option#*=};; esac; done
while [[ $1 == --* ]]; do shift; done
for node in $(seq $nodes); do "$@" & processes+=($!); done
for process in "${processes[@]}"; do wait $process || failed=1; done
exit ${failed:-0}
"""


@pytest.fixture
def prepared(call, tmp_path):
    """A folder with the partition of a small benchmark. Returns a function that changes its params.yaml."""
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    (tmp_path / "stages").symlink_to(ROOT / "stages")

    def change(**sections):
        for section, parameters in sections.items():
            values[section] |= parameters
        YAML().dump(values, tmp_path / "params.yaml")

    change(**SMALL)
    for site in SITES:
        call("download", "--domain", site)
    call("partition")
    return change


def start(folder, **environment):
    command = [sys.executable, "-m", "stages.train", "--fold", "campus", "--seed", "0"]
    environment = os.environ | {"METABIN_TRACKING": "off", "CUDA_VISIBLE_DEVICES": ""} | environment
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ranks_of(process):
    children = psutil.Process(process.pid).children(recursive=True)
    return {int(child.environ()["RANK"]): child for child in children if "RANK" in child.environ()}


def test_a_rank_that_dies_ends_all_and_other_ranks_resume_from_the_state(prepared, tmp_path):
    prepared(compute={"devices": 2})
    process = start(tmp_path)
    while not list(tmp_path.rglob("state.pt")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
    ranks = ranks_of(process)
    assert sorted(ranks) == [0, 1]
    ranks[1].kill()
    died = time.monotonic()
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert time.monotonic() - died < 60
    assert not psutil.pid_exists(ranks[0].pid)
    assert [line for line in stderr.splitlines() if "steps" not in line] == [
        f"error: rank 1 of the training failed: Signal 9 (SIGKILL) received by PID {ranks[1].pid}"
    ]

    prepared(compute={"devices": 1, "nodes": 2})
    (tmp_path / "srun").write_text(SRUN)
    (tmp_path / "srun").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = start(tmp_path, PATH=path, SLURM_JOB_NUM_NODES="2", SLURM_JOB_ID=str(os.getpid()))
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    losses = pd.read_csv(tmp_path / "models/campus/metabin/seed-0/losses.csv")
    assert losses["step"].tolist() == list(range(60))
    first = int((stdout + stderr).split(": ")[1].split(" of ")[0])
    assert first > 5  # the resumed training began there


def test_several_machines_need_a_job_of_slurm(make_config, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_NUM_NODES", raising=False)
    with pytest.raises(ConfigError, match=r"compute.nodes is 2, but Slurm gives no job; submit with sbatch --nodes=2"):
        share_with_ranks(make_config(compute__nodes=2).compute, "stages.train", [])


@pytest.mark.bad_input("command line")
@pytest.mark.parametrize("endpoint", ["nohost.invalid:29400", "localhost", "localhost:x"])
def test_an_address_that_is_none_is_one_message_at_once(make_config, endpoint):
    with pytest.raises(UserError, match=rf"--endpoint is {endpoint} \(.*\); expected is HOST:PORT"):
        run_ranks(make_config(compute__nodes=2).compute, ["stages.train"], endpoint, "x")
