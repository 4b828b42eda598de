"""Run the benchmarks, each in its own process on one thread, and write docs/performance.md.

python -m benchmarks                   all: about a quarter of an hour
python -m benchmarks step ranking      some; the results of the others stay as they are
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

NAMES = ("step", "ranking", "loading", "startup", "growth", "embed", "search", "export")
DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "performance.json"
PAGE = DOCS / "performance.md"
# The line of the page after which the results follow. The text before it is written by hand.
BEGIN = "<!-- what follows is written by `make bench` -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], help="benchmarks (default: all)")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in parser.parse_args().names or NAMES:
        print(f"== {name}", flush=True)
        rows = run(name)
        results[name] = {"date": date.today().isoformat(), "machine": machine(), "rows": rows}
        write_text(RESULTS, json.dumps(results, indent=1) + "\n")
        print(table(rows), flush=True)
    sections = [f"{BEGIN}\n"]
    for name in (name for name in NAMES if name in results):
        result = results[name]
        heading = f"### {name}\n\n{result['date']}, {result['machine']}"
        sections.append(f"{heading}\n\n{table(result['rows'])}\n")
    write_text(PAGE, PAGE.read_text().partition(BEGIN)[0] + "\n".join(sections))
    if "growth" in results:
        growth.plot(results["growth"]["rows"], DOCS / "performance.png")


def run(name: str) -> list[dict]:
    """Run one benchmark and return its rows."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    environment = os.environ | ONE_THREAD
    process = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    # Libraries may print other lines.
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def table(rows: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| what | against | ours | other | ratio | goal |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        cells = [
            row["what"],
            row["against"],
            f"{row['ours']:.3g} {row['unit']}",
            f"{row['other']:.3g} {row['unit']}",
            f"{row['ratio']:.2f}",
            "" if row["goal"] is None else f"{row['goal']:.2g}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> str:
    """Return the name of the processor, the number of cores and the version of Python."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    cli.run(main)
