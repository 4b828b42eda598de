"""The commands that README.md, CONTRIBUTING.md and docs/*.md show."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("dvc", "make", "python", "pip", "git", "cp", "export", "source", "metabin", "METABIN_TRACKING=off")
LOG = "log.md"  # dated notes, with the commands of their time


@dataclass(frozen=True)
class Command:
    """A line of a command block, or an inline code span, that begins with one of the programs."""

    page: str
    line: int
    text: str
    in_block: bool


def pages():
    tops = (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
    return [*tops, *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != LOG)]


def commands(path):
    """The commands of a page, in order, without the comments behind them."""
    fenced = False
    matches = []
    lines = re.sub(r" \\\n +", " ", path.read_text()).splitlines()  # a command may continue on the next line
    for number, line in enumerate(lines, start=1):
        if line.startswith("```"):
            fenced = not fenced
        in_block = fenced or line.startswith("    ")
        texts = [line] if in_block else re.findall(r"`([^`]+)`", line)
        for text in texts:
            text = re.sub(r"\s+#\s.*$", "", text).strip()
            if text.split(" ")[0] in PROGRAMS and " " in text:
                matches.append(Command(path.name, number, text, in_block))
    return matches


def settings(path):
    """The values of every `-S key=value` in a page's tables: rows that `dvc exp run` takes."""
    rows = re.findall(r"^\|.*\| `(-S [^`]*)` \|$", path.read_text(), re.MULTILINE)
    return [dict(re.findall(r"-S '?([\w.]+)=([^ ']+)'?", row)) for row in rows]
