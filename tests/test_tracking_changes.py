"""The names of runs say which parameters an experiment changed."""

import subprocess
from pathlib import Path

import pytest
import yaml
from stages_in_clone import ROOT

from metabin.config import read_values
from metabin.config.editing import overlay
from metabin.config.presets import load_presets
from metabin.tracking.changes import NO_CHANGES, read_changes


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A repository with the project's params.yaml and presets, as the working directory."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "params.yaml"], ["commit", "--quiet", "-m", "first"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return read_values(tmp_path / "params.yaml")


def named(base, changes):
    Path("params.yaml").write_text(yaml.safe_dump(overlay(base, changes), sort_keys=False))
    return read_changes(Path("elsewhere")).name


def test_an_experiment_is_named_after_what_it_changed(committed):
    quick = load_presets(ROOT / "presets")["quick"].values
    assert read_changes(Path("elsewhere")) == NO_CHANGES
    assert named(committed, {"meta.inner_lr": 0.1}) == "inner_lr=0.1"
    assert named(committed, {"protocol.seeds": [0, 1], "model.rho_per": "layer"}) == "seeds=[0, 1], rho_per=layer"
    assert named(
        committed, {"augment.pad": 3, "augment.flip": 0, "optim.lr": 2, "optim.margin": 1, "meta.inner_lr": 3}
    ) == ("lr=2, margin=1, flip=0, 2 more")
    assert named(committed, quick) == "preset quick"
    assert named(committed, {**quick, "meta.inner_lr": 0.1}) == "preset quick, inner_lr=0.1"
    assert dict(read_changes(Path("elsewhere")).values)["optim.duration"] == str(quick["optim.duration"])


def test_a_value_has_its_section_only_where_the_name_alone_is_not_clear(committed):
    three = {"augment.pad": 3, "optim.lr": 2, "meta.inner_lr": 3}
    assert named(committed, three) == "lr=2, pad=3, inner_lr=3"
    assert named(committed, {"variants.slow": {"method": "bn"}}) == "variants={slow: {method: bn}}"
    both = {"protocol.domains": ["a"], "meta.domains": 2}
    assert named(committed, both) == "protocol.domains=[a], meta.domains=2"


def test_the_preset_with_the_most_changes_is_named_and_one_that_explains_a_single_change_is_not(committed):
    Path("presets").unlink()
    Path("presets").mkdir()
    for name, text in {
        "all": "optim: {lr: 2, margin: 1}\nmeta: {inner_lr: 3}",
        "beside": "optim: {lr: 2, margin: 1}",
        "single": "optim: {lr: 2}\naugment: {flip: 0.5}",
    }.items():
        Path(f"presets/{name}.yaml").write_text(text)
    assert committed["augment"]["flip"] == 0.5  # as in `single`
    assert named(committed, {"optim.lr": 2}) == "lr=2"
    assert named(committed, {"optim.lr": 2, "augment.pad": 3}) == "lr=2, pad=3"
    assert named(committed, {"optim.lr": 2, "optim.margin": 1}) == "preset beside"
    three = {"optim.lr": 2, "optim.margin": 1, "meta.inner_lr": 3}
    assert named(committed, three) == "preset all"
    Path("presets/same.yaml").write_text(Path("presets/all.yaml").read_text())
    assert named(committed, three) == "preset all"


def test_without_a_file_in_the_working_directory_that_of_the_root_counts(committed, tmp_path, monkeypatch):
    named(committed, {"meta.inner_lr": 0.1})
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert read_changes(tmp_path).name == "inner_lr=0.1"


def test_a_preset_with_another_value_of_its_own_is_not_named(committed):
    quick = load_presets(ROOT / "presets")["quick"].values
    assert not named(committed, {**quick, "optim.duration": 61}).startswith("preset")


def test_without_a_commit_or_a_readable_file_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_changes(tmp_path) == NO_CHANGES
    Path("params.yaml").write_text("a: [")
    assert read_changes(tmp_path) == NO_CHANGES
