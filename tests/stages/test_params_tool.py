"""Setting a preset or a protocol by its name in params.yaml."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from metabin.config import load_config
from metabin.config.editing import flatten
from metabin.config.presets import load_preset
from metabin.errors import ConfigError
from stages.tools import params

PROTOCOLS = ("p1", "p1-duke", "p2", "p3", "leave-one-out-4", "single-market1501", "randperson", "embedded")
PRESETS = sorted(path.stem for path in (Path(__file__).parents[2] / "presets").glob("*.yaml"))
RESTORE = "`git checkout params.yaml` restores the committed values"


@pytest.fixture
def call(tmp_path, root, monkeypatch):
    """A function that runs the command in a folder with the parameter files, and returns the parameters then."""
    shutil.copy(root / "params.yaml", tmp_path)
    for folder in ("protocols", "presets"):
        shutil.copytree(root / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["params", *arguments])
        params.main()
        return load_config()

    return run


def git(*arguments):
    author = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    subprocess.run(["git", *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def committed(call):
    """The folder of `call` as a clone has it: all files are committed."""
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "clone")


def comments(text):
    return re.findall(r"(?:^| )(#.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_set_and_nothing_else_moves(call, root, name):
    before = YAML(typ="safe").load(root / "params.yaml")
    call("protocol", name)
    expected = YAML(typ="safe").load(root / "protocols" / f"{name}.yaml")["params"]
    for dotted, value in expected.items():
        section, _, key = dotted.partition(".")
        before[section][key] = value
    rendered = name == "embedded"
    before["data"]["local"] = [] if rendered else sorted({*before["data"]["local"], *domains(expected)})
    assert YAML(typ="safe").load(Path("params.yaml")) == before


def domains(values):
    """The data sets of a protocol without a synthetic site, read from its file."""
    groups, sources_of = values["protocol.groups"], values.get("protocol.sources_of", {})
    for name in (*values["protocol.domains"], *values["protocol.sources"]):
        yield from (*groups.get(name, [name]), *sources_of.get(name, []))


def test_comments_and_the_default_stay_to_the_last_byte(call, root, tmp_path):
    call("protocol", "embedded")
    before = (root / "params.yaml").read_text()
    assert (tmp_path / "params.yaml").read_text() == before
    call("protocol", "p2")
    assert comments((tmp_path / "params.yaml").read_text()) == comments(before)


def test_targets_narrow_a_protocol(call):
    protocol = call("protocol", "p2", "--targets", "market1501").protocol
    assert (protocol.domains, protocol.sources, protocol.groups) == (
        ["market1501"],
        ["msmt17", "cuhk03", "cuhk_sysu"],
        {},
    )
    protocol = call("protocol", "p1", "--targets", "viper", "grid").protocol
    assert (protocol.domains, protocol.groups) == (["small_sets"], {"small_sets": ["viper", "grid"]})


@pytest.mark.bad_input("command line")
def test_what_cannot_be_set_is_said_and_the_file_stays(call, tmp_path):
    before = (tmp_path / "params.yaml").read_text()
    with pytest.raises(ConfigError, match="no protocol p9; known are clonedperson, confirmation"):
        call("protocol", "p9")
    with pytest.raises(ConfigError, match="no preset p2; known are ablation-losses, ablation-meta, .*, quick, "):
        call("preset", "p2")
    with pytest.raises(ConfigError, match="grid is no target of this protocol; its targets are market1501"):
        call("protocol", "p2", "--targets", "grid")
    with pytest.raises(ConfigError, match="held out from different sources"):
        call("protocol", "p2", "--targets", "market1501", "cuhk03")
    assert (tmp_path / "params.yaml").read_text() == before
    changed = before.replace("num_meta_train: auto", "num_meta_train: 3")
    (tmp_path / "params.yaml").write_text(changed)
    with pytest.raises(ConfigError, match="num_meta_train is 3, but there are 3 source domains"):
        call("protocol", "p2")
    assert (tmp_path / "params.yaml").read_text() == changed


def listed(capsys):
    """The first words of the indented lines: the names."""
    return [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]


def test_presets_and_protocols_are_listed_and_one_is_explained(call, capsys, root):
    names = {kind: sorted(path.stem for path in (root / kind).glob("*.yaml")) for kind in ("presets", "protocols")}
    call()
    assert sorted(listed(capsys)) == sorted(names["presets"] + names["protocols"])
    call("protocol")
    assert sorted(listed(capsys)) == names["protocols"]
    call("preset")
    assert listed(capsys) == names["presets"]
    call("preset")
    title = load_preset(root / "presets/quick.yaml").title
    assert f"  quick                     {title}\n" in capsys.readouterr().out
    call("protocol", "p1")
    printed = capsys.readouterr().out
    assert "market1501 + cuhk02 + cuhk03 + cuhk_sysu -> viper + prid2011 + grid + ilids" in printed
    assert "not comparable: p1-duke" in printed
    assert "\nprotocol.domains: [campus, station, mall, winter, night, plaza] -> [small_sets]\n" in printed
    assert RESTORE in printed


def test_names_in_data_that_the_protocol_does_not_use_are_removed_and_printed(call, capsys, tmp_path):
    text = (tmp_path / "params.yaml").read_text()
    assert "accept_unfit: []" in text
    text = text.replace("accept_unfit: []", "accept_unfit: [grid, msmt17]")
    text = text.replace("splits: {}", "splits: {viper: my/viper, market1501: my/market.json}")
    (tmp_path / "params.yaml").write_text(text)  # written for p1 before p1 is set
    data = call("protocol", "p1").data
    assert (data.accept_unfit, data.splits) == (["grid"], {"viper": "my/viper"})
    printed = capsys.readouterr().out
    assert "data.splits: market1501 removed" in printed
    assert "data.accept_unfit: msmt17 removed" in printed
    assert "# data sets that are used although their check fails" in (tmp_path / "params.yaml").read_text()
    assert call("protocol", "p1", "--targets", "grid").data.accept_unfit == ["grid"]
    assert "removed" in capsys.readouterr().out  # viper


@pytest.mark.bad_input("parameters")
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
@pytest.mark.parametrize("arguments", [("protocol", "p1"), ("preset", "quick")], ids=["protocol", "preset"])
def test_a_broken_file_is_refused_and_stays(call, tmp_path, before, after, message, arguments):
    path = tmp_path / "params.yaml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))
    broken = path.read_text()
    with pytest.raises(ConfigError, match=message):
        call(*arguments)
    assert path.read_text() == broken


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_applied_and_every_comment_and_other_value_stays(call, committed, capsys, root, name):
    path = Path("params.yaml")
    text = path.read_text()
    before = YAML(typ="safe").load(text)
    preset = load_preset(root / "presets" / f"{name}.yaml")
    assert call("preset", name) == preset.config(before)
    after = flatten(YAML(typ="safe").load(path))
    assert after == flatten(before) | preset.values
    assert comments(path.read_text()) == comments(text)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == preset.title
    assert [line.partition(": ")[0] for line in lines[:-2]] == [key for key in after if key in preset.values]
    assert all(" -> " in line and len(line) < 200 for line in lines[:-2])
    assert lines[-2] == f"{RESTORE}."
    applied = path.read_text()
    call("preset", name)
    assert capsys.readouterr().out.splitlines()[:2] == [title, "no change"]
    assert path.read_text() == applied
    git("checkout", "params.yaml")
    assert path.read_text() == text


def test_each_changed_key_is_printed_in_a_line(call, committed, capsys):
    call("preset", "quick")
    assert capsys.readouterr().out.splitlines()[1:4] == [
        "protocol.domains: [campus, station, mall, winter, night, plaza] -> [campus, night, plaza]",
        "protocol.baselines: [bn, in, bin_fixed, bin_joint] -> [bn, bin_joint]",
        "optim.duration: 180 -> 60",
    ]
    call("preset", "single-source-market1501")
    assert "\nmeta.train_losses.ce: 0.0 -> 1.0\n" in capsys.readouterr().out


def test_values_that_an_earlier_preset_left_are_listed(call, committed, capsys):
    call("preset", "pretraining")
    assert "kept from before" not in capsys.readouterr().out
    call("preset", "choice")
    kept = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept from before: ")]
    assert kept == [
        "kept from before: benchmark.gap: 0.0 (committed: 0.6)",
        "kept from before: partition.num_train_ids: all (committed: 40)",
    ]
    call("preset", "choice")
    printed = capsys.readouterr().out
    assert "\n".join(["no change", *kept, f"{RESTORE}."]) in printed


@pytest.mark.bad_input("parameters")
def test_an_earlier_preset_that_does_not_fit_is_named_and_the_file_stays(call, committed):
    call("preset", "pretraining")
    before = Path("params.yaml").read_text()
    with pytest.raises(ConfigError, match="groups has an entry for start") as error:
        call("preset", "quick")
    problem, *advice = str(error.value).splitlines()
    assert problem.startswith("params.yaml with presets/quick.yaml: ")
    assert "kept from before: protocol.groups: {start: [place-1020]} (committed: {})" in advice
    assert advice[-1] == f"{RESTORE}; then apply the preset again"
    assert Path("params.yaml").read_text() == before


def test_without_git_a_preset_is_applied_all_the_same(call, capsys):
    call("preset", "pretraining")
    assert call("preset", "choice").benchmark.gap == 0.0
    assert "kept from before" not in capsys.readouterr().out


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optim: {duration: many}", "params.yaml with presets/mine.yaml: optim.duration is 'many'"),
        ("optim: {durations: 3}", "presets/mine.yaml: unknown key optim.durations"),
        ("meta: {train_losses: {scater: 1.0}}", "params.yaml with presets/mine.yaml: .*scater"),
        ("optim: {losses: {ce: {wait: 1.0}}}", "params.yaml with presets/mine.yaml: "),
    ],
)
def test_a_preset_with_a_fault_is_named_and_the_file_stays(call, tmp_path, text, message):
    before = Path("params.yaml").read_text()
    (tmp_path / "presets/mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        call("preset", "mine")
    assert Path("params.yaml").read_text() == before
