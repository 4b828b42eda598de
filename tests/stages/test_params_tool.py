"""Setting a protocol by its name in params.yaml."""

import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from metabin.config import load_config
from metabin.errors import ConfigError
from stages.tools import params

NAMES = ("p1", "p1-duke", "p2", "p3", "leave-one-out-4", "single-market1501", "randperson", "embedded")


@pytest.fixture
def call(tmp_path, root, monkeypatch):
    shutil.copy(root / "params.yaml", tmp_path)
    shutil.copytree(root / "protocols", tmp_path / "protocols")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["protocol", *arguments])
        params.main()
        return load_config()

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_is_set_and_nothing_else_moves(call, root, name):
    before = YAML(typ="safe").load(root / "params.yaml")
    call(name)
    wanted = YAML(typ="safe").load(root / "protocols" / f"{name}.yaml")["params"]
    for key, value in wanted.items():
        section, _, own = key.partition(".")
        before[section][own] = value
    drawn = name == "embedded"
    before["data"]["local"] = [] if drawn else sorted({*before["data"]["local"], *domains(wanted)})
    assert YAML(typ="safe").load(Path("params.yaml")) == before


def domains(params):
    """The data sets of a protocol without a drawn site, read from its file."""
    groups, sources_of = params["params.groups"], params.get("params.sources_of", {})
    for name in (*params["params.domains"], *params["params.sources"]):
        yield from (*groups.get(name, [name]), *sources_of.get(name, []))


def test_comments_and_the_default_stay_to_the_last_byte(call, root, tmp_path):
    call("embedded")
    assert (tmp_path / "params.yaml").read_text() == (root / "params.yaml").read_text()
    call("p2")
    text = (tmp_path / "params.yaml").read_text()
    for comment in ("# ... and these are its sources", "# [paper]", "# of rho, constant: SGD without momentum"):
        assert comment.strip("# ") in text


def test_targets_narrow_a_protocol(call):
    found = call("p2", "--targets", "market1501").protocol
    assert (found.domains, found.sources, found.groups) == (["market1501"], ["msmt17", "cuhk03", "cuhk_sysu"], {})
    found = call("p1", "--targets", "viper", "grid").protocol
    assert (found.domains, found.groups) == (["small_sets"], {"small_sets": ["viper", "grid"]})


def test_what_cannot_be_set_is_said_and_the_file_stays(call, tmp_path):
    before = (tmp_path / "params.yaml").read_text()
    with pytest.raises(ConfigError, match="no protocol p9; known are clonedperson, confirmation"):
        call("p9")
    with pytest.raises(ConfigError, match="grid is no target of this protocol; its targets are market1501"):
        call("p2", "--targets", "grid")
    with pytest.raises(ConfigError, match="held out from different sources"):
        call("p2", "--targets", "market1501", "cuhk03")
    assert (tmp_path / "params.yaml").read_text() == before
    changed = before.replace("num_meta_train: auto", "num_meta_train: 3")
    (tmp_path / "params.yaml").write_text(changed)
    with pytest.raises(ConfigError, match="num_meta_train is 3, but there are 3 source domains"):
        call("p2")
    assert (tmp_path / "params.yaml").read_text() == changed


def test_all_protocols_are_listed_and_one_is_explained(call, capsys, root):
    call()
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(listed) == sorted(path.stem for path in (root / "protocols").glob("*.yaml"))
    call("p1")
    told = capsys.readouterr().out
    assert "market1501 + cuhk02 + cuhk03 + cuhk_sysu -> viper + prid2011 + grid + ilids" in told
    assert "not comparable: p1-duke" in told


def test_names_in_data_that_the_protocol_does_not_use_are_removed_and_printed(call, capsys, tmp_path):
    text = (tmp_path / "params.yaml").read_text()
    assert "accept_unfit: []" in text
    text = text.replace("accept_unfit: []", "accept_unfit: [grid, msmt17]")
    text = text.replace("splits: {}", "splits: {viper: my/viper, market1501: my/market.json}")
    (tmp_path / "params.yaml").write_text(text)  # written for p1 before p1 is set
    data = call("p1").data
    assert (data.accept_unfit, data.splits) == (["grid"], {"viper": "my/viper"})
    printed = capsys.readouterr().out
    assert "data.splits: market1501 removed" in printed
    assert "data.accept_unfit: msmt17 removed" in printed
    assert "# data sets that are used although their check fails" in (tmp_path / "params.yaml").read_text()
    assert call("p1", "--targets", "grid").data.accept_unfit == ["grid"]
    assert "removed" in capsys.readouterr().out  # viper


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("splits: {}", "splits: 5", "data.splits is 5"),
        ("accept_unfit: []", "accept_unfit: 5", "data.accept_unfit is 5"),
        ("accept_unfit: []", "accept_unfit: [[viper]]", "data.accept_unfit.0 is"),
        ("data: ", "other: ", "missing key data"),
        ("protocol: ", "proto: ", "missing key protocol"),
        ("domains: [", "domains: [[", "is not valid YAML"),
    ],
)
def test_a_broken_file_is_refused_and_stays(call, tmp_path, before, after, message):
    path = tmp_path / "params.yaml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    broken = path.read_text()
    with pytest.raises(ConfigError, match=message):
        call("p1")
    assert path.read_text() == broken
