"""Measure what grows with ten million images, a hundred million vectors and a thousand cameras.

python -m benchmarks.large                    all parts, one thread: four minutes of the processor
python -m benchmarks.large head cameras       some

The tables are those of docs/scaling.md. "measured" is a measurement on this machine; "computed" is
the arithmetic that follows from it at a size that was not run.
"""

from __future__ import annotations

import argparse

from benchmarks.__main__ import machine, run
from stages import cli

PARTS = ("head", "identities", "storage", "gallery", "cameras")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="parts (default: all)")
    parts = parser.parse_args().parts or PARTS
    print(machine())
    for name in parts:
        print(f"\n== {name}\n\n{table(run(f'large.{name}'))}", flush=True)


def table(lines: list[dict]) -> str:
    """Return lines as a Markdown table."""
    rows = ["| what | value | |", "| --- | ---: | --- |"]
    for line in lines:
        how = "computed" if line["is_computed"] else "measured"
        value = line["value"]
        number = f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
        rows.append(f"| {line['what']} | {number} {line['unit']} | {how} |")
    return "\n".join(rows)


if __name__ == "__main__":
    cli.run(main)
