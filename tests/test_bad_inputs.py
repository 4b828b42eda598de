"""The command that counts bad inputs counts the cases of marked tests, and no others."""

import subprocess
import sys

from test_stage_files import CASES, READERS


def test_the_marked_cases_of_a_file_are_counted_by_kind(root):
    command = [sys.executable, "tests/bad_inputs.py", "tests/test_stage_files.py"]
    lines = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    number = len(CASES) + len(READERS)  # its third test reads good files
    assert f"| file of a stage | {number} |" in lines
    assert lines[-1] == f"| all | {number} |"
