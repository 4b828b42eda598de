import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_run_from_top_to_bottom(path):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbmake",
        "--override-ini",
        "addopts=",
        "-p",
        "no:cacheprovider",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=NOTEBOOKS)
    assert done.returncode == 0, done.stdout + done.stderr
