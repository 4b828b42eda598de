"""The house rules that a machine can check: who imports whom, what a stage depends on, what `--help` costs."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import metabin
from metabin.backbones import BACKBONES
from metabin.registry import EPISODE_LOSSES, LOSSES, METHODS, baselines

ROOT = Path(__file__).parents[1]
MODULES = sorted(path.relative_to(ROOT) for folder in ("metabin", "stages") for path in (ROOT / folder).rglob("*.py"))
BOTTOM = {
    *("addresses", "backbones", "compute", "config", "errors", "files", "images", "locks", "progress"),
    *("registry", "repository", "rho_channels", "rho_summary", "seeding", "stage_files", "types"),
}
MAY_IMPORT = {
    **dict.fromkeys(BOTTOM, BOTTOM),
    "synthetic": BOTTOM | {"synthetic"},
    "data": BOTTOM | {"data", "synthetic"},
    "model": BOTTOM | {"model"},
    "losses": BOTTOM | {"losses"},
    "results": BOTTOM | {"results"},
    "card": BOTTOM | {"card", "results"},
    "evaluation": BOTTOM | {"evaluation", "model", "data"},
    "episodes": BOTTOM | {"episodes", "losses", "model"},
    "engine": BOTTOM | {"engine", "methods", "losses", "model", "data", "evaluation", "results"},
    "methods": BOTTOM | {"methods"},  # what a method needs to train, it imports when it trains: see below
    "report": BOTTOM | {"report", "results"},
    "tracking": BOTTOM | {"tracking"},
    "export": BOTTOM | {"export", "model"},
    "inference": BOTTOM | {"inference", "model", "data", "synthetic", "evaluation", "results", "export", "tracking"},
    "commands": BOTTOM
    | {"commands", "inference", "model", "data", "evaluation", "results", "export", "report", "card"},
}
IN_FUNCTIONS = {"methods": {"engine", "episodes", "model", "data"}}
HEAVY = ("torch", "torchvision", "mlflow", "matplotlib", "pandas", "dvc", "numba")
# What MLflow records is no output.
RECORDS = ("stages/record.py", "stages/run_description.py", "stages/training_records.py")
# They carry values, and values are tracked as params; what happens to a value shows in the layer that uses it.
NOT_DEPENDENCIES = {
    "metabin/addresses.py",  # in messages
    "metabin/types.py",
    "metabin/errors.py",
    "metabin/files.py",
    "metabin/locks.py",  # who trains, not what
    "metabin/progress.py",
    "metabin/registry.py",
    "metabin/repository.py",
    "metabin/stage_files.py",
    "stages/stdout.py",
    "stages/cli.py",
    "stages/fork_client.py",  # where a stage runs, not what it does
    "stages/kernels.py",  # whether kernels are compiled once more
    "stages/layout.py",
    "stages/leftovers.py",  # removes what is no output
    "stages/processes.py",  # how a stage ends
    "stages/progress_messages.py",  # for people
    "stages/ranks.py",  # who computes, not what
    *RECORDS,
}


def imported(path, *, at_import_time=False):
    """The dotted names that a file imports; TYPE_CHECKING blocks do not count."""
    tree = ast.parse((ROOT / path).read_text())
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    if at_import_time:
        skipped |= {
            id(child) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for child in ast.walk(node)
        }
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files_of(name):
    """The project's file that a dotted name stands for, with the packages above it."""
    parts, found = name.split("."), set()
    for count in range(1, len(parts) + 1):
        stem = Path(*parts[:count])
        found |= {path for path in (stem.with_suffix(".py"), stem / "__init__.py") if (ROOT / path).is_file()}
    return found


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parts[0] == "metabin" and len(path.parts) > 1], ids=str
)
def test_imports_go_down_never_sideways_never_up(path):
    layer = path.parts[1].removesuffix(".py")
    if layer == "__init__":
        return
    at_import_time = imported(path, at_import_time=True)
    for name in imported(path):
        top, _, rest = name.partition(".")
        assert top != "stages", f"{path} imports {name}: nobody imports stages"
        if top == "metabin" and rest:
            allowed = MAY_IMPORT[layer] | (set() if name in at_import_time else IN_FUNCTIONS.get(layer, set()))
            assert rest.split(".")[0] in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_mlflow_is_imported_by_tracking_alone_and_dvc_by_nobody(path):
    packages = {name.split(".")[0] for name in imported(path)}
    assert "dvc" not in packages
    assert "mlflow" not in packages or path.parts[:2] == ("metabin", "tracking")


def closure(path, seen=None):
    """The files that a file imports, directly or not; those of the configuration and of records end a chain."""
    seen = set() if seen is None else seen
    for name in imported(path):
        for file in files_of(name) - seen:
            seen.add(file)
            if not {"config", "tracking", *RECORDS} & {*file.parts, str(file)}:
                closure(file, seen)
    return seen


def stages():
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        stage = stage.get("do", stage)
        if not stage.get("always_changed"):  # whose code needs no dependency: it runs every time
            yield name, stage


def registered(stage):
    """The modules that a stage reaches by a name in a registry: methods, losses and backbones."""
    methods = {file for place in METHODS.values() for file in files_of(place.partition(":")[0])}
    if stage == "report":  # their labels and colours
        return methods
    if stage not in ("train", "final", "baseline", "evaluate", "rho-probe"):
        return set()
    names = {backbone.builder.partition(":")[0] for backbone in BACKBONES.values()}
    if stage in ("train", "final"):
        names |= {place.partition(":")[0] for place in METHODS.values()} | set(EPISODE_LOSSES.values())
    if stage == "baseline":
        names |= {METHODS[name].partition(":")[0] for name in baselines()} | set(LOSSES.values())
    files = {file for name in names for file in files_of(name)}
    return files | {file for path in files for file in closure(path)}


def code_of(name, stage):
    module = stage["cmd"].split()[2]
    return closure(Path(*module.split(".")).with_suffix(".py")) | registered(name)


@pytest.mark.parametrize(("name", "stage"), list(stages()), ids=lambda value: value if isinstance(value, str) else "")
def test_the_deps_of_a_stage_cover_all_the_code_that_decides_its_outputs(name, stage):
    deps = [dep for dep in stage["deps"] if "$" not in dep]
    uncovered = {
        path
        for path in {str(path) for path in code_of(name, stage)} - NOT_DEPENDENCIES
        if not path.startswith(("metabin/tracking/", "metabin/config/"))
        and not any(path == dep or path.startswith(f"{dep}/") for dep in deps)
        and not path.endswith("__init__.py")
    }
    assert not uncovered


def test_every_dependency_of_a_stage_exists():
    for name, stage in stages():
        for dep in stage["deps"]:
            if dep.startswith(("metabin/", "stages/")):
                assert (ROOT / dep).exists(), f"{name} depends on {dep}"


def test_what_only_episodes_use_is_no_code_of_a_baseline():
    table = dict(stages())
    code = {str(path) for path in code_of("baseline", table["baseline"])}
    assert "metabin/engine/base_step.py" in code
    assert not {path for path in code if "/episodes/" in path}
    for dep in table["baseline"]["deps"]:
        assert not any(f"{path}".startswith(f"{dep}/") or path == dep for path in ("metabin/episodes/meta_step.py",))
        assert dep not in ("metabin/methods", "metabin/methods/metabin.py")
    assert {"metabin/episodes", "metabin/methods"} <= set(table["train"]["deps"])


def test_a_final_training_depends_on_what_a_training_of_a_fold_depends_on():
    table = dict(stages())
    deps = [dep.replace("${item.fold}", "final") for dep in table["train"]["deps"]]
    assert table["final"]["deps"] == deps
    assert table["final"]["params"] == table["train"]["params"]


def test_editing_the_report_reruns_no_training_and_meta_parameters_no_baseline():
    table = dict(stages())
    for name in ("train", "baseline", "final", "partition", "download", "evaluate"):
        assert not any("report" in dep or "tracking" in dep for dep in table[name]["deps"])
        assert not any("tracking" in param or "params.yaml" in param for param in table[name]["params"])
    assert "meta" in table["train"]["params"]
    for name in ("evaluate", "rho-probe"):  # a final model is trained and reported, the folds stay as they are
        assert not {"protocol", "protocol.final"} & set(table[name]["params"])
    assert not any(param.startswith("meta") for param in table["baseline"]["params"])


@pytest.mark.parametrize(
    "module", [path for path in MODULES if path.parts[0] == "stages" and path.stem not in ("__init__",)], ids=str
)
def test_no_stage_imports_anything_heavy_before_it_runs(module):
    name = ".".join(module.with_suffix("").parts)
    code = f"import sys, {name}; print(*[m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.split() == []


@pytest.mark.parametrize("module", ["stages.download", "stages.partition"])
def test_cheap_stages_never_import_torch(module):
    for file in closure(Path(*module.split(".")).with_suffix(".py")):
        assert not {"torch", "torchvision"} & {name.split(".")[0] for name in imported(file, at_import_time=True)}, file


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_files_stay_small(path):
    assert len((ROOT / path).read_text().splitlines()) <= (150 if path.parts[0] == "stages" else 300)


def test_the_citation_names_the_version_and_licence_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (metabin.__version__, project["license"])
    assert citation["title"] == project["description"]
