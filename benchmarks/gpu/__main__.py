"""Check and measure this project on a machine with a CUDA GPU: at most 9 minutes on one H100.

python -m benchmarks.gpu                        all parts; writes docs/gpu.json and docs/gpu.md
python -m benchmarks.gpu --parts norm steps     some; the results of the others stay as they are
python -m benchmarks.gpu --small                tiny sizes, also without a GPU: tries the command

Each part runs in its own process and ends after its time limit. The exit code is 1 if a part
fails: an error, a check that is not passed, or its time limit. A goal that is not met is no
failure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.gpu import packages, results
from benchmarks.gpu.results import PartResult
from benchmarks.gpu.rows import Row, line
from metabin.errors import UserError
from metabin.repository import run_git
from stages import cli

# Seconds after which a part is ended, 9 minutes together; without a limit with --small.
LIMITS = {
    "tests": 105,
    "parity": 40,
    "repeats": 45,
    "syncs": 30,
    "limits": 15,
    "norm": 35,
    "steps": 95,
    "loading": 20,
    "trainings": 120,
    "evaluation": 35,
}


def main() -> None:
    arguments = parse_arguments()
    if missing := packages.missing_packages():
        raise UserError(packages.explain(missing))
    on_device = packages.has_cuda()
    output = output_path(arguments.output, on_device=on_device, small=arguments.small)
    machine = describe_machine()
    print(", ".join(machine.values()), flush=True)
    collected = results.read(output) if output else {}
    failed = []
    for name in arguments.parts or LIMITS:
        result = run_part(name, machine, small=arguments.small)
        if result.failure:
            failed.append(name)
        collected[name] = result
        if output:
            results.write(output, collected)
    if output == results.RESULTS:
        results.write_page(results.PAGE, collected)
    print(f"== failed: {', '.join(failed)}" if failed else "== no part failed")
    sys.exit(1 if failed else 0)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=LIMITS, help="parts to run (default: all)")
    parser.add_argument("--small", action="store_true", help="tiny sizes, also without a GPU")
    parser.add_argument("--output", type=Path, help="file of the results instead of docs/gpu.json")
    return parser.parse_args()


def output_path(path: Path | None, *, on_device: bool, small: bool) -> Path | None:
    """Return the file of the results: docs/gpu.json only holds full measurements of a GPU.

    Returns:
        None if nothing is written, as for small sizes without a path.

    Raises:
        UserError: there is no GPU and the sizes are not small, or the path is docs/gpu.json and
            the run measures no GPU at full sizes.
    """
    if not on_device and not small:
        raise UserError(
            "torch finds no CUDA device here; run this on a machine with one, or try the command "
            "with tiny sizes: python -m benchmarks.gpu --small"
        )
    if small and path and path.resolve() == results.RESULTS:
        raise UserError(
            f"{path} holds measurements of a GPU; --small measures nothing, choose another --output"
        )
    return path or (None if small else results.RESULTS)


def run_part(name: str, machine: dict[str, str], *, small: bool) -> PartResult:
    """Run one part in its own process, and print its rows as they come."""
    print(f"== {name}", flush=True)
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.gpu.part", name, *(["--small"] if small else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(LIMITS[name], process.kill)
    if not small:
        timer.start()
    rows: list[Row] = []
    assert process.stdout
    for text in process.stdout:
        if text.startswith("{"):
            rows.append(Row(**json.loads(text)))
            print(line(rows[-1]), flush=True)
        else:  # of pytest, and of libraries
            print(text, end="", flush=True)
    code = process.wait()
    was_killed = not small and not timer.is_alive()
    timer.cancel()
    seconds = time.perf_counter() - start
    failure = explain_failure(name, code, rows, was_killed=was_killed)
    print(f"== {name}: {seconds:.0f} s{', FAILED: ' + failure if failure else ''}", flush=True)
    return PartResult(machine, seconds, failure, rows)


def explain_failure(name: str, code: int, rows: list[Row], *, was_killed: bool) -> str:
    """Return why a part failed, or an empty text."""
    if was_killed:
        return f"ended after its limit of {LIMITS[name]} s"
    if code:
        return f"ended with the exit code {code}"
    checks = [row.what for row in rows if row.is_failure]
    return f"checks not passed: {'; '.join(checks)}" if checks else ""


def describe_machine() -> dict[str, str]:
    """Return the device, the versions, the date and the commit."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    commit = run_git("rev-parse", "--short", "HEAD") or "unknown"
    changes = run_git("status", "--porcelain", "--untracked-files=no")
    return {
        "device": device,
        "driver": f"driver {_driver()}",
        "python": f"Python {sys.version.split()[0]}",
        "torch": f"torch {torch.__version__}",
        "triton": f"triton {_version('triton')}",
        "date": date.today().isoformat(),
        "commit": f"commit {commit}{' with changes' if changes else ''}",
    }


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return output.stdout.split("\n")[0].strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    cli.run(main)
