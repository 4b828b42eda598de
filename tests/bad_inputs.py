"""Count the bad inputs that tests try, by kind: `python tests/bad_inputs.py`, or with the names of some test files.

A test with `@pytest.mark.bad_input(kind)` gives one bad input per case and checks the message that a user gets. Inputs
that a case tries in a loop count as one.
"""

import io
import sys
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

import pytest

KINDS = (
    *("image", "list or table", "folder of a data set", "MATLAB file", "archive", "file of a stage"),
    *("weights or model", "parameters", "command line", "embeddings"),
)


class Cases:
    """A plugin of pytest that counts the collected cases by kind."""

    def __init__(self) -> None:
        self.number: Counter[str] = Counter()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        marks = [item.get_closest_marker("bad_input") for item in session.items]
        self.number.update(mark.args[0] for mark in marks if mark)


def main() -> None:
    cases = Cases()
    paths = sys.argv[1:] or [str(Path(__file__).parent)]
    with redirect_stdout(io.StringIO()) as output:
        code = pytest.main(["--collect-only", "-p", "no:cacheprovider", *paths], [cases])
    if code or not set(cases.number) <= set(KINDS):
        sys.exit(f"{output.getvalue()[-3000:]}\nkinds: {sorted(cases.number)}; expected are {sorted(KINDS)}")
    print("| kind | bad inputs |\n|---|---:|")
    for kind in KINDS:
        print(f"| {kind} | {cases.number[kind]} |")
    print(f"| all | {cases.number.total()} |")


if __name__ == "__main__":
    main()
