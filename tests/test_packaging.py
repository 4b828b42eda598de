"""The package that `pip install .` gives: what it needs, what is in it, and the lock files of the pipeline."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_structure import MODULES, ROOT, files_of, imported

import metabin

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WEIGHTS = "mobilenetv2-weights"  # a package of which one version has the file of weights
# The packages whose names differ from the names of their modules.
PACKAGES = {
    **{"PIL": "pillow", "faiss": "faiss-cpu", "ruamel": "ruamel.yaml"},
    **{"sklearn": "scikit-learn", "yaml": "pyyaml"},
}
BROUGHT_BY_TORCH = {"triton"}  # for CUDA alone, where torch always brings it
CORE_ROOMS = ("inference", "commands", "model")


def requirements(lines):
    """Requirements by the names of their packages."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def pins(name):
    """The versions that a requirements file pins, by the names of packages."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in lines}


@cache
def imports(path, at_import_time):
    """The dotted names that a file imports; each file is parsed once."""
    return imported(path, at_import_time=at_import_time)


def packages_of(path, *, at_import_time):
    """The third-party packages that a file imports."""
    tops = {name.partition(".")[0] for name in imports(path, at_import_time)}
    tops -= sys.stdlib_module_names | BROUGHT_BY_TORCH | {"metabin"}
    return {canonicalize_name(PACKAGES.get(top, top)) for top in tops}


def imported_with(path, seen):
    """Add the project's files that a file imports when it is imported itself, directly or not."""
    for name in imports(path, True):
        for file in files_of(name) - seen:
            seen.add(file)
            imported_with(file, seen)
    return seen


CORE = set(requirements(PROJECT["dependencies"]))
CORE_MODULES = [path for path in MODULES if path.parts[0] == "metabin" and path.parts[1] in CORE_ROOMS]
RANGES = [line for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines if "==" not in line]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as pip builds it but from a copy: setuptools leaves files beside pyproject.toml."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "metabin", source / "metabin", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(source / "dist")]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder with the installed wheel, without what it needs."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def distribution(site):
    return PathDistribution(site / f"metabin-{metabin.__version__}.dist-info")


def run(command, site, folder):
    """Run a command outside the repository; return what it prints."""
    environment = {"PATH": "", "PYTHONPATH": str(site)}
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path for path in (ROOT / "metabin").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {path.relative_to(ROOT).as_posix() for path in files}
    assert "metabin/py.typed" in names


def test_the_installed_package_is_imported_and_its_command_runs_outside_the_repository(site, tmp_path):
    code = "import metabin, sys; print(metabin.__file__, metabin.__version__, 'numpy' in sys.modules)"
    printed = run([sys.executable, "-c", code], site, tmp_path)
    assert printed.split() == [str(site / "metabin/__init__.py"), metabin.__version__, "False"]
    printed = run([sys.executable, str(site / "bin/metabin"), "--version"], site, tmp_path)
    assert metabin.__version__ in printed


def test_the_metadata_names_licence_python_and_command(distribution):
    metadata = distribution.metadata
    assert metadata["Version"] == metabin.__version__
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert [(entry.name, entry.value) for entry in distribution.entry_points] == [("metabin", "metabin.commands:main")]


def test_the_metadata_has_the_requirements_of_pyproject(distribution):
    core = [line for line in distribution.requires if "extra ==" not in line]
    assert set(requirements(core)) == CORE
    assert set(distribution.metadata.get_all("Provides-Extra")) == set(EXTRAS)


@pytest.mark.parametrize("line", RANGES)
def test_requirements_are_ranges_with_a_lower_bound(line):
    requirement = Requirement(line)
    if requirement.name == "metabin":
        assert requirement.extras == set(EXTRAS) - {"all", WEIGHTS}
    else:
        assert [specifier.operator for specifier in requirement.specifier] == [">="]


def test_the_pins_of_the_pipeline_are_in_the_ranges_of_the_package():
    pinned = pins("requirements.txt")
    ranges = requirements(line for line in RANGES if not line.startswith("metabin"))
    assert set(pinned) == set(ranges)
    assert [name for name, version in pinned.items() if not ranges[name].specifier.contains(version)] == []


LOCKS = [("requirements.txt", "requirements.lock"), ("requirements-dev.txt", "requirements-dev.lock")]


@pytest.mark.parametrize(("direct", "lock"), LOCKS)
def test_a_lock_file_has_the_pins_and_the_hashes_of_all_it_lists(direct, lock):
    assert pins(direct).items() <= pins(lock).items()
    entries = re.split(r"^(?=[\w.-]+==)", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_both_lock_files_pin_the_same_versions():
    pipeline = pins("requirements.lock")
    development = pins("requirements-dev.lock")
    shared = pipeline.keys() & development.keys()
    assert {name: pipeline[name] for name in shared} == {name: development[name] for name in shared}


def test_every_package_that_a_module_imports_is_a_requirement_or_in_an_extra():
    known = CORE | set(requirements(line for lines in EXTRAS.values() for line in lines))
    modules = [path for path in MODULES if path.parts[0] == "metabin"]
    unknown = {str(path): packages_of(path, at_import_time=False) - known for path in modules}
    assert {path: packages for path, packages in unknown.items() if packages} == {}


@pytest.mark.parametrize("path", CORE_MODULES, ids=str)
def test_using_a_model_imports_no_extra(path):
    files = imported_with(path, {path, Path("metabin/__init__.py")})
    surplus = {str(file): packages_of(file, at_import_time=True) - CORE for file in files}
    assert {file: packages for file, packages in surplus.items() if packages} == {}
