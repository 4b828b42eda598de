"""Change the method's code in small ways, and list the changes that no test notices: `make mutants`.

mutmut makes the mutants and runs, for each, the tests of its group that call the mutated function. A group has its own
copy of the code in `.mutants/<group>`, which keeps the results: a second run tests survivors and changed functions.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".mutants"
NEEDED = ("metabin", "stages", "tests", "presets", "protocols", "params.yaml", "dvc.yaml", "pyproject.toml")
CONFIG = tomllib.loads((ROOT / "tests/mutants.toml").read_text())
SURVIVED, UNTESTED, PENDING = 0, 33, None  # exit codes in mutmut's files; others are errors of tests
# mutmut does not change decorated functions. Without their decorator, numba's kernels are Python.
COMPILED = re.compile(rb"^@compiled\n", re.MULTILINE)
SECTION = """
[tool.mutmut]
source_paths = ["metabin"]
only_mutate = {files}
do_not_mutate_patterns = {patterns}
also_copy = ["stages", "params.yaml", "presets", "protocols", "dvc.yaml"]
pytest_add_cli_args = {options}
pytest_add_cli_args_test_selection = {tests}
process_isolation = "forkserver"
use_git_change_detection = false
"""


def main() -> None:
    groups = sys.argv[1:] or list(CONFIG["groups"])
    missed = [name for name in groups if not is_tested(name)]
    if missed:
        sys.exit(f"mutants survive in: {', '.join(missed)}")


def is_tested(group: str) -> bool:
    """Run a group and print its result; return whether all survivors are explained."""
    folder = WORK / group
    copy_code(folder, CONFIG["groups"][group])
    forget_survivors(folder)
    run_mutmut(folder)
    codes = exit_codes(folder)
    survivors = [name for name, code in codes.items() if is_survivor(code)]
    known = {(item["file"], item["from"], item["to"]) for item in CONFIG["survivors"]}
    unknown = {name: change for name in survivors if (change := change_of(folder, name)) not in known}
    explained = len(survivors) - len(unknown)
    killed = 1 - len(unknown) / (len(codes) - explained)
    print(f"{group}: {len(codes)} mutants, {explained} explained; of the others {killed:.1%} are killed")
    for name, (file, old, new) in unknown.items():
        print(f"  {name} ({file})\n    - {old}\n    + {new}")
    return not unknown


def copy_code(folder: Path, group: dict) -> None:
    """Copy the files that Git knows or does not ignore; what is equal keeps its time, and so its results."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *NEEDED],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for path in [path for name in NEEDED for path in (folder / name).rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in names:
            path.unlink()
    for name in names:
        content = (ROOT / name).read_bytes()
        if name.startswith("metabin/"):
            content = COMPILED.sub(b"", content)
        if name == "pyproject.toml":
            content += section(group).encode()
        target = folder / name
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    shutil.rmtree(folder / "mutants/tests", ignore_errors=True)  # mutmut copies, and removes nothing


def section(group: dict) -> str:
    """Return mutmut's section of pyproject.toml."""
    left_out = [f"--deselect={test}" for test in group.get("deselected", ())]
    values = {
        "files": group["files"],
        "patterns": CONFIG["left_out"],
        "options": ["-p", "no:cacheprovider", "-p", "no:xdist", *left_out],
        "tests": group["tests"],
    }
    return SECTION.format(**{key: json.dumps(value) for key, value in values.items()})


def forget_survivors(folder: Path) -> None:
    """Remove the results of survivors, which mutmut would keep although there are new tests."""
    for path in (folder / "mutants").rglob("*.py.meta"):
        results = json.loads(path.read_text())
        codes = results["exit_code_by_key"]
        results["exit_code_by_key"] = {name: None if is_survivor(code) else code for name, code in codes.items()}
        path.write_text(json.dumps(results))


def is_survivor(code: int | None) -> bool:
    return code in (SURVIVED, UNTESTED, PENDING)


def run_mutmut(folder: Path) -> None:
    """Run mutmut in a folder; its output goes to mutmut.log there."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    jobs = str(os.cpu_count() or 1)
    with (folder / "mutmut.log").open("w") as log:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", jobs]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"mutmut fails: {(folder / 'mutmut.log').read_text(errors='replace')[-3000:]}")


def exit_codes(folder: Path) -> dict[str, int | None]:
    """Return mutant -> exit code of its tests."""
    codes = {}
    for path in sorted((folder / "mutants").rglob("*.py.meta")):
        codes |= json.loads(path.read_text())["exit_code_by_key"]
    return codes


def change_of(folder: Path, mutant: str) -> tuple[str, str, str]:
    """Return the file of a mutant, and the lines that it removes and adds."""
    command = [sys.executable, "-m", "mutmut", "show", mutant]
    shown = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()
    file = next(line for line in shown if line.startswith("--- ")).removeprefix("--- ").strip()
    old, new = (
        " ".join(line[1:].strip() for line in shown if line.startswith(sign) and not line.startswith(sign * 3))
        for sign in "-+"
    )
    return file, old, new


if __name__ == "__main__":
    main()
