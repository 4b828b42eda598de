"""The parameters that an experiment changed, and a name that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metabin.config import read_values
from metabin.config.editing import Change, as_text, differences, flatten
from metabin.config.presets import load_presets
from metabin.repository import run_git

UNCHANGED = "default"  # the name of an experiment with the committed parameters
MAX_NAMED = 3  # changes in a name; more are counted


@dataclass(frozen=True, slots=True)
class ParamChanges:
    """The differences of params.yaml to the commit, which a DVC experiment starts from.

    `name` says them in short, e.g. "inner_lr=0.1", "preset quick", or "default" without any.
    """

    values: Mapping[str, str]  # by dotted key
    name: str


NO_CHANGES = ParamChanges({}, UNCHANGED)


def read_changes(root: Path) -> ParamChanges:
    """Compare params.yaml of the working directory, or else of the root, with the commit.

    There are no changes without a commit of the file, and without a file that can be read: the
    stage itself reports that.
    """
    paths = (Path("params.yaml"), root / "params.yaml")
    path = next((path for path in paths if path.is_file()), None)
    committed = run_git("show", "HEAD:./params.yaml", folder=path.parent) if path else None
    if path is None or committed is None:
        return NO_CHANGES
    try:
        current = read_values(path)
        changes = list(differences(_parse(committed), current))
        name = _name(changes, flatten(current), path.parent / "presets")
    except Exception:
        return NO_CHANGES
    return ParamChanges({change.key: as_text(change.after) for change in changes}, name)


def _name(changes: list[Change], current: Mapping[str, Any], presets: Path) -> str:
    preset, others = (
        _largest_preset(changes, current, presets) if len(changes) > 1 else ("", changes)
    )
    names = [f"preset {preset}"] if preset else []
    last_parts = [change.key.rpartition(".")[2] for change in changes]
    for change in others[:MAX_NAMED]:
        last = change.key.rpartition(".")[2]
        key = last if last_parts.count(last) == 1 else change.key
        names.append(f"{key}={as_text(change.after)}")
    if len(others) > MAX_NAMED:
        names.append(f"{len(others) - MAX_NAMED} more")
    return ", ".join(names) or UNCHANGED


def _largest_preset(
    changes: list[Change], current: Mapping[str, Any], folder: Path
) -> tuple[str, list[Change]]:
    """Return the preset that sets most of the changed values, and the changes beside it.

    Every value of the preset is in place, and at least two of them are changes.
    """
    name = ""
    others = changes
    for candidate, preset in load_presets(folder).items():
        if any(current.get(key) != value for key, value in preset.values.items()):
            continue
        beside = [change for change in changes if change.key not in preset.values]
        if len(beside) < min(len(others), len(changes) - 1):
            name, others = candidate, beside
    return name, others


def _parse(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)
