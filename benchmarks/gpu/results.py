"""The results of a run on disk: docs/gpu.json, and the table in docs/gpu.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu.rows import Row, table
from metabin.files import write_text

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "gpu.json"
PAGE = DOCS / "gpu.md"
# The line of the page after which the results follow. The text before it is written by hand.
BEGIN = "<!-- what follows is written by `make gpu` -->\n"


@dataclass(frozen=True, slots=True)
class PartResult:
    """The rows of one part.

    Attributes:
        machine: device, versions, date and commit.
        seconds: that the part took.
        failure: empty, or why the part did not end or which check fails.
    """

    machine: dict[str, str]
    seconds: float
    failure: str
    rows: list[Row]


def read(path: Path) -> dict[str, PartResult]:
    """Return the results of an earlier run by part; none if there is no such file."""
    if not path.is_file():
        return {}
    return {name: _parse(values) for name, values in json.loads(path.read_text()).items()}


def write(path: Path, results: Mapping[str, PartResult]) -> None:
    """Write the results atomically."""
    values = {name: asdict(result) for name, result in results.items()}
    write_text(path, json.dumps(values, indent=1) + "\n")


def write_page(path: Path, results: Mapping[str, PartResult]) -> None:
    """Replace the generated half of the page by the tables of the results."""
    text = path.read_text().partition(BEGIN)[0]
    write_text(path, f"{text}{BEGIN}\n{markdown(results)}")


def markdown(results: Mapping[str, PartResult]) -> str:
    """Return a section for each part."""
    sections = []
    for name, result in results.items():
        heading = f"### {name}\n\n{', '.join(result.machine.values())}, {result.seconds:.0f} s"
        failure = f"\n\n**Failed:** {result.failure}" if result.failure else ""
        sections.append(f"{heading}{failure}\n\n{table(result.rows)}\n")
    return "\n".join(sections)


def _parse(values: dict[str, Any]) -> PartResult:
    rows = [Row(**row) for row in values.pop("rows")]
    return PartResult(**values, rows=rows)
