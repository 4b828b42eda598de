"""Records of a run on their way to MLflow: a folder with a line per record, and with their files.

A training writes its records here, so that it never waits for MLflow. What a store has received is
removed when all of it has arrived.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metabin.files import write_text

if TYPE_CHECKING:
    from filelock import FileLock

FOLDER = ".records"  # in the project, not in .mlflow: the repair of a store may remove that
RUNS = Path(FOLDER, "runs")


class Spool:
    """The records of one run. The lock tells whether a process writes or delivers them.

    Attributes:
        path: the folder.
        name: unique; the times of their creation order the names.
        files: the folder of the records' files.
    """

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.name = path.name
        self.files = path / "files"
        self.path = path
        self._lock = lock
        self._records = path / "records.jsonl"
        self._state = path / "delivered.json"
        self._guard = threading.Lock()
        # A kill or a full disk may have cut the last line off.
        self._size = self._records.read_bytes().rfind(b"\n") + 1
        self._unwritten = b""

    @classmethod
    def create(cls, root: Path, opening: Mapping[str, Any]) -> Spool:
        """Create the spool of a run and lock it.

        Args:
            root: the project's folder.
            opening: the run, made by `metabin.tracking.store_runs.describe_run`.

        Raises:
            OSError: the folder cannot be written.
        """
        now = time.time_ns() // 1_000_000
        path = root / RUNS / f"{now}-{uuid.uuid4().hex[:12]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        lock.acquire()
        (path / "files").mkdir(parents=True)
        (path / "records.jsonl").touch()
        spool = cls(path, lock)
        spool.write({"open": opening})
        return spool

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record. While the disk is full, records wait in memory for the next call."""
        with self._guard:
            self._unwritten += json.dumps(record).encode() + b"\n"
            with suppress(OSError), self._records.open("r+b") as file:
                file.seek(self._size)  # a write that failed may have left a part of a line
                file.write(self._unwritten)
                file.flush()
                self._size += len(self._unwritten)
                self._unwritten = b""

    def new_folder(self) -> Path:
        """Return a new folder below `files`, for the files of a record.

        Raises:
            OSError: the disk is full.
        """
        folder = self.files / uuid.uuid4().hex
        folder.mkdir()
        return folder

    def read(self, start: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the complete records from a position on, each with the position of its end."""
        with self._records.open("rb") as file:
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):  # else it is cut off
                    start += len(line)
                    yield json.loads(line), start

    @property
    def opening(self) -> dict[str, Any]:
        """The run as `create` received it; {} if a kill cut it off."""
        return next((record["open"] for record, _ in self.read()), {})

    @property
    def has_ended(self) -> bool:
        """Whether a record ends the run."""
        return any("end" in record for record, _ in self.read())

    @property
    def is_written(self) -> bool:
        """Whether no record waits in memory for a disk that is full."""
        return not self._unwritten

    @property
    def last_change(self) -> int:
        """The time of the last record, in milliseconds."""
        return self._records.stat().st_mtime_ns // 1_000_000

    def position(self, run_id: str) -> int:
        """Return the position up to which a run has received the records; 0 for another run."""
        with suppress(FileNotFoundError):
            state = json.loads(self._state.read_text())
            if state["run_id"] == run_id:
                return state["position"]
        return 0

    def save_position(self, run_id: str, position: int) -> None:
        """Note the position up to which a run has received the records."""
        state = {"run_id": run_id, "position": position}
        write_text(self._state, json.dumps(state))

    def remove(self) -> None:
        """Remove the folder, all of which was delivered."""
        shutil.rmtree(self.path, ignore_errors=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self.close()

    def close(self, *, is_complete: bool = True) -> None:
        """Leave the records to other processes."""
        self._lock.release()


def waiting(root: Path) -> Iterator[Spool]:
    """Yield the spools that no process writes or delivers, the oldest first, each locked."""
    from filelock import Timeout

    runs = root / RUNS
    for path in sorted(runs.iterdir()) if runs.is_dir() else []:
        if not path.is_dir():
            continue
        lock = _lock(path)
        with suppress(Timeout):
            lock.acquire(timeout=0)
            try:
                if (path / "records.jsonl").is_file():  # else another process has delivered it
                    yield Spool(path, lock)
            finally:
                lock.release()


def _lock(path: Path) -> FileLock:
    from filelock import FileLock

    # The thread that delivers releases a lock that another has acquired.
    return FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)
