"""Run every benchmark, each in a process of its own on one thread; print tables, and put them into docs/performance.md.

python -m benchmarks                   all: about a quarter of an hour
python -m benchmarks step ranking      some; the other rows of the last run stay as they were
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

from benchmarks import growth
from benchmarks.pairs import ONE_THREAD
from metabin.files import write_text
from stages import cli

NAMES = ("step", "ranking", "loading", "startup", "growth")
DOCS = Path(__file__).parents[1] / "docs"
RESULTS, PAGE = DOCS / "performance.json", DOCS / "performance.md"
BEGIN = "<!-- what follows is written by `make bench` -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], help="benchmarks; all if none is named")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in parser.parse_args().names or NAMES:
        print(f"== {name}", flush=True)
        rows = run(name)
        results[name] = {"date": date.today().isoformat(), "machine": machine(), "rows": rows}
        write_text(RESULTS, json.dumps(results, indent=1) + "\n")
        print(table(rows), flush=True)
    sections = [f"{BEGIN}\n"]
    for name in (name for name in NAMES if name in results):
        found = results[name]
        sections.append(f"### {name}\n\n{found['date']}, {found['machine']}\n\n{table(found['rows'])}\n")
    write_text(PAGE, PAGE.read_text().partition(BEGIN)[0] + "\n".join(sections))
    if "growth" in results:
        growth.draw(results["growth"]["rows"], DOCS / "performance.png")


def run(name: str) -> list[dict]:
    """The rows of one benchmark."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(rows: list[dict]) -> str:
    """Markdown; `ratio` says how many times better ours is."""
    lines = ["| what | against | ours | other | ratio | goal |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for row in rows:
        goal = "" if row["goal"] is None else f"{row['goal']:.2g}"
        ours, other = (f"{row[side]:.3g} {row['unit']}" for side in ("ours", "other"))
        lines.append(f"| {row['what']} | {row['against']} | {ours} | {other} | {row['ratio']:.2f} | {goal} |")
    return "\n".join(lines)


def machine() -> str:
    """The processor's name and the number of cores; results are of one thread."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    cli.run(main)
