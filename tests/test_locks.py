"""Locks between processes."""

import os
import subprocess
import sys

import pytest

from metabin import locks
from metabin.errors import UserError

HOLD = """
import sys
from pathlib import Path
from metabin import locks
with locks.hold(Path(sys.argv[1]), "works"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path, monkeypatch):
    """A process that holds the lock in the file `lock`."""
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_holder_is_refused_with_the_process_of_the_first_until_that_is_killed(holder, tmp_path):
    message = rf"process {holder.pid} on .+ works already; wait until .* end it with `kill {holder.pid}`"
    for _ in range(2):  # an attempt leaves the file as it is
        with pytest.raises(UserError, match=message), locks.hold(tmp_path / "lock", "works"):
            pass
    holder.kill()
    with locks.hold(tmp_path / "lock", "works"):
        assert (tmp_path / "lock").read_text().startswith(f"{os.getpid()} on ")
    with locks.hold(tmp_path / "lock", "works"):  # and is free again
        pass


def test_one_that_waits_says_so_once_and_goes_on_when_the_first_has_ended(holder, tmp_path, caplog):
    class End:
        def filter(self, record):
            holder.stdin.close()
            return True

    locks.logger.addFilter(ending := End())
    with locks.hold(tmp_path / "lock", "works", waits=True):
        assert holder.wait(timeout=20) == 0
    locks.logger.removeFilter(ending)
    (record,) = caplog.records
    assert record.message.startswith(f"process {holder.pid} on ")
    assert record.message.endswith("This process waits")
