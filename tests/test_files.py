"""Files are written with the same bytes on every system, complete or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from metabin.files import csv_text, write_bytes, write_csv

ROOT = Path(__file__).parents[1]

TABLE = pd.DataFrame(
    {"name": ["a", "b, c"], "count": [1, 2], "value": [0.5, 1 / 3], "missing": [float("nan"), 2.0]},
    index=[7, 7],
)
TEXT = 'name,count,value,missing\na,1,0.500000,\n"b, c",2,0.333333,2.000000\n'


def test_a_table_is_written_without_its_index_with_six_digits_and_unix_line_ends(tmp_path):
    path = tmp_path / "results" / "table.csv"  # the folder is made
    write_csv(path, TABLE)
    assert path.read_bytes() == TEXT.encode()
    assert csv_text(TABLE) == TEXT


def test_the_format_of_floats_can_be_chosen_and_none_restores_the_same_numbers(tmp_path):
    path = tmp_path / "table.csv"
    write_csv(path, TABLE, float_format="%.2g")
    assert path.read_text().splitlines()[1:] == ["a,1,0.5,", '"b, c",2,0.33,2']
    write_csv(path, TABLE, float_format=None)
    assert pd.read_csv(path)["value"].tolist() == TABLE["value"].tolist()


def test_a_table_without_rows_has_its_header(tmp_path):
    write_csv(tmp_path / "table.csv", TABLE.iloc[:0])
    assert (tmp_path / "table.csv").read_bytes() == b"name,count,value,missing\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_keeps_the_old_file_and_says_how_much_is_needed(tmp_path, monkeypatch, code):
    path = tmp_path / "state.pt"
    path.write_text("old")

    def fail(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(
        OSError, match=r"the disk is full: 2,000 bytes are needed, and [\d,]+ are free.*state.pt"
    ) as error:
        write_bytes(path, bytes(2000))
    assert error.value.errno == errno.ENOSPC
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("state.pt", "old")]


LIMITED = """
import resource, sys
from pathlib import Path
from metabin.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_bytes(Path(sys.argv[1]), bytes(2000))
"""


def test_a_file_that_the_system_cuts_short_is_no_file(tmp_path):
    """A real limit, which fails as a full disk does: with a part of the file written."""
    path = tmp_path / "state.pt"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, cwd=ROOT)
    assert "the disk is full: 2,000 bytes are needed" in done.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("state.pt", "old")]


@pytest.mark.parametrize(("place", "function"), [(os, "fsync"), (Path, "replace")])
def test_a_failure_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch, place, function):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(place, function, fail)
    with pytest.raises(OSError, match="disk full"):
        write_csv(path, TABLE)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("table.csv", "old")]


def test_the_file_has_its_name_only_when_it_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    replace = Path.replace

    def check(partial, target):
        assert not path.exists()
        assert partial.read_bytes() == TEXT.encode()
        return replace(partial, target)

    monkeypatch.setattr(Path, "replace", check)
    write_csv(path, TABLE)
    assert path.read_bytes() == TEXT.encode()
