"""Results of experiments that the store has not received.

They are outputs of the pipeline, which DVC keeps. So they need no spool: a note of the experiment
is enough to record them from their files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from pathlib import Path

from metabin.files import write_text
from metabin.tracking.changes import ParamChanges
from metabin.tracking.provenance import Provenance, params_digest, project_root
from metabin.tracking.spool import FOLDER

RESULTS = Path(FOLDER, "results")


def note_unrecorded(source: Provenance) -> None:
    """Note that the results of an experiment are to be recorded."""
    values = dataclasses.asdict(source)
    del values["root"]  # the project may be moved
    with suppress(OSError):  # the disk is full: `python -m stages.tools.record` is still there
        write_text(_note(source), json.dumps(values))


def forget_unrecorded(source: Provenance) -> None:
    """Note that the results of an experiment are recorded."""
    _note(source).unlink(missing_ok=True)


def find_unrecorded() -> dict[Path, Provenance]:
    """Return the experiments whose results are to be recorded, by the file of the note."""
    root = project_root()
    sources = {}
    for path in sorted((root / RESULTS).glob("*.json")):
        values = json.loads(path.read_text())
        changes = ParamChanges(**values.pop("changes"))
        sources[path] = Provenance(root=root, changes=changes, **values)
    return sources


def is_in_workspace(source: Provenance) -> bool:
    """Return whether the workspace has the parameters of an experiment."""
    return source.tags["params.sha256"] == params_digest(source.root)


def _note(source: Provenance) -> Path:
    name = hashlib.sha256(source.parent_key.encode()).hexdigest()[:16]
    return source.root / RESULTS / f"{name}.json"
