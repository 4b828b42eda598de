"""A clone of the working tree in which tests run stages as a user does."""

import atexit
import contextlib
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from stages.cli import THREADS
from stages.fork_client import ADDRESS, fork_server

ROOT = Path(__file__).parents[1]
NEEDED = ("metabin", "stages", "protocols", "dvc.yaml", "params.yaml", ".dvc", ".dvcignore", ".gitignore")


@functools.cache
def stage_server():
    """Start a fork server for all stages of this process's tests, and return its environment variable.

    `make repro` runs its stages from one, which saves each of them the imports.
    """
    os.environ |= THREADS  # before the server loads the libraries, as for a stage
    running = contextlib.ExitStack()
    with contextlib.chdir(ROOT):
        running.enter_context(fork_server())
    atexit.register(running.close)
    return {ADDRESS: os.environ.pop(ADDRESS)} if ADDRESS in os.environ else {}


def run(clone, *command, tracking="off", server="", check=True):
    date = "1767225600 +0000"  # equal dates give the clones equal commits; in the form that DVC reads too
    environment = {**os.environ, "METABIN_TRACKING": tracking, "DVC_NO_ANALYTICS": "1"}
    if command[0] == "dvc":
        environment |= stage_server()
    environment |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    environment["CUDA_VISIBLE_DEVICES"] = ""  # `compute.device: auto` is the CPU, also on a machine with a GPU
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("MLFLOW_TRACKING_URI", None)
    if server:
        environment |= {"METABIN_TRACKING": "on", "MLFLOW_TRACKING_URI": server}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def write_params(folder, *settings):
    """Write the project's params.yaml into a folder, with other values by section; later ones replace earlier ones."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    for sections in settings:
        for section, values in sections.items():
            params[section] |= values
    YAML().dump(params, folder / "params.yaml")


def make_clone(folder, settings, *, needed=NEEDED):
    """Copy the working tree's files to a git repository of their own, with a small benchmark.

    Args:
        folder: of the new repository.
        settings: values of params.yaml by section. They replace those of the presets as well.
        needed: the files and folders at the top that are copied; None: all.
    """
    listing = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
    for name in listing:
        if needed is None or name.split("/")[0] in needed:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy2(ROOT / name, folder / name)
    for compiled in (ROOT / "metabin").rglob("*.nb[ic]"):  # numba's, valid as long as a file's date is the same
        target = folder / compiled.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(compiled, target)
    write_params(folder, settings)
    for path in (folder / "presets").glob("*.yaml"):
        preset = YAML(typ="safe").load(path)
        for section in preset.keys() & settings.keys():
            # Of a protocol all keys go: groups, for example, does not fit other domains.
            others = {} if section == "protocol" else preset[section]
            preset[section] = others | settings[section]
        YAML().dump(preset, path)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    author = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    run(folder, "git", *author, "commit", "--quiet", "--message", "clone")
    return folder
