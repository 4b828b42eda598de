"""Outputs of other configurations leave the folders that stages depend on, and dvc.lock; a clone is then up to date."""

import hashlib

import pytest
from ruamel.yaml import YAML
from stages_in_clone import make_clone, run, write_params

from metabin import locks
from metabin.config import load_config
from metabin.engine import trainer
from metabin.files import write_text
from stages import cli, leftovers, unfinished
from stages.tools import remove_leftovers

SETTINGS = {
    "protocol": {"domains": ["night"], "sources": ["campus", "plaza"], "baselines": [], "meta_learned": ["metabin"]},
    "benchmark": {"num_ids": 6},
    "partition": {"height": 32, "width": 16, "num_train_ids": 4},
    "optim": {"duration": 1, "ids_per_batch": 4, "images_per_id": 2},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "candidates": 1},
}


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A folder with an output of this configuration, one that is in the cache, and one that is not."""
    monkeypatch.setattr(cli, "dvc", lambda *arguments, capture: f"{tmp_path / 'cache'}\n")
    for name in ("a/bn/seed-0", "a/in/seed-0", "b/bn/seed-0"):
        write_text(tmp_path / "models" / name / "weights", name)
    content = b"a/in/seed-0"
    digest = hashlib.md5(content).hexdigest()
    write_text(tmp_path / "cache/files/md5" / digest[:2] / digest[2:], content.decode())
    return tmp_path / "models"


def test_only_what_the_cache_holds_is_removed(outputs, capsys):
    leftovers.remove(outputs, [outputs / "a/bn/seed-0"])
    assert sorted(path.relative_to(outputs).as_posix() for path in outputs.rglob("weights")) == [
        "a/bn/seed-0/weights",
        "b/bn/seed-0/weights",
    ]
    removed, left = capsys.readouterr().out.splitlines()
    assert f"removed {outputs / 'a/in'}, which this configuration does not have" in removed
    assert f"{outputs / 'b'} is no output of this configuration and not in DVC's cache: it stays" in left


def test_without_leftovers_dvc_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "dvc", None)
    write_text(tmp_path / "models/a/bn/seed-0/weights", "")
    leftovers.remove(tmp_path / "models", [tmp_path / "models/a/bn/seed-0"])
    leftovers.remove(tmp_path / "absent", [])


def test_the_lock_keeps_the_entries_of_existing_stages_with_their_bytes_in_the_order_of_the_stages(tmp_path, capsys):
    lock = tmp_path / "dvc.lock"
    entries = {name: f"  {name}:\n    cmd: run\n    outs:\n    - path: x\n" for name in ("a@x", "b@weights/y.pth", "c")}
    lock.write_text("schema: '2.0'\nstages:\n" + "".join(entries.values()))
    remove_leftovers.sort_lock(lock, ["c", "a@x", "d"])
    assert lock.read_text() == "schema: '2.0'\nstages:\n" + entries["c"] + entries["a@x"]
    assert "removed 1 entries" in capsys.readouterr().out
    remove_leftovers.sort_lock(lock, ["c", "a@x", "d"])
    assert capsys.readouterr().out == ""


def test_states_that_no_training_of_this_configuration_resumes_are_removed(call, tmp_path, monkeypatch, capsys):
    def write(**meta):
        write_params(tmp_path, SETTINGS, {"optim": {"duration": 3}, "record": {"checkpoint_every": 1}, "meta": meta})

    def killed(*arguments):
        raise KeyboardInterrupt

    def remove():
        unfinished.remove_states(load_config())
        states = tmp_path / ".resume"
        return capsys.readouterr().out[-200:], [path.name for path in states.iterdir()]

    write()
    for site in ("night", "campus", "plaza"):
        call("download", "--domain", site)
    call("partition")
    unfinished.remove_states(load_config())  # there is no state
    save = trainer.save_state
    monkeypatch.setattr(trainer, "save_state", lambda *arguments: save(*arguments) or killed())
    with pytest.raises(KeyboardInterrupt):
        call("train", "--fold", "night", "--method", "metabin", "--seed", "0")
    text, (state,) = remove()
    assert "removed 0 states" in text
    write(inner_lr=0.5)
    with locks.hold(tmp_path / ".resume" / state / "lock", "trains"):  # as an experiment that runs does
        assert remove()[1] == [state]
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # and in its temporary folder
    text, states = remove()
    assert "removed 1 states of unfinished trainings that no training of this configuration resumes; 0 stay" in text
    assert states == []


def test_after_other_domains_and_methods_a_clone_that_pulls_is_up_to_date(tmp_path):
    first = make_clone(tmp_path / "first", SETTINGS)
    run(first, "dvc", "repro")
    assert (first / "models/final/metabin/seed-0/selection.csv").is_file()
    params = YAML(typ="safe").load(first / "params.yaml")
    params["protocol"] |= {
        "domains": ["campus"],
        "sources": ["night", "plaza"],
        "baselines": [],
        "meta_learned": ["mldg"],
        "final": [],
    }
    YAML().dump(params, first / "params.yaml")
    run(first, "dvc", "repro")
    for folder in ("models", "results", "rho_probe"):
        assert [path.name for path in (first / folder).iterdir()] == ["campus"]
    run(first, "python", "-m", "stages.tools.remove_leftovers")
    stages = set(YAML(typ="safe").load(first / "dvc.lock")["stages"])
    assert stages == set(run(first, "dvc", "stage", "list", "--name-only").stdout.split())
    for name in ("team", "private"):
        run(first, "dvc", "remote", "add", name, str(tmp_path / name), *(["--force"] if name == "private" else []))
    run(first, "dvc", "remote", "default", "team")
    run(first, "git", "add", "--all")
    run(first, "git", "-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "--quiet", "-m", "second")
    run(first, "dvc", "push")
    run(tmp_path, "git", "clone", "--quiet", str(first), str(tmp_path / "second"))
    run(tmp_path / "second", "dvc", "pull")
    assert "Data and pipelines are up to date." in run(tmp_path / "second", "dvc", "status").stdout
    before = (tmp_path / "second/dvc.lock").read_bytes()
    assert "Data and pipelines are up to date." in run(tmp_path / "second", "dvc", "repro").stdout
    assert (tmp_path / "second/dvc.lock").read_bytes() == before
