"""Changes to a parameter file by dotted key, as "optim.lr", that keep its comments."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from metabin.config import parse_config, read_values
from metabin.files import write_text

# Maps whose keys the user chooses: each is one value. The keys of all other maps are parameters, as
# "meta.train_losses.ce"; a loss with options, {weight: 1.0, ...}, is one value as well.
FREE_MAPS = ("protocol.groups", "protocol.sources_of", "data.splits", "variants")
DEPTH = 3
ABSENT = "(absent)"  # in place of the value of a key that is not there
LINE = 100  # characters; a longer map is written with one line per key
LONGEST = 72  # characters of a value in the text of a change


class Change(NamedTuple):
    """A value that differs, by dotted key; `ABSENT` where it is missing."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.key}: {as_text(self.before)} -> {as_text(self.after)}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested maps by dotted key, at most `DEPTH` names deep."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in FREE_MAPS and key.count(".") + 1 < DEPTH:
            flat |= flatten(value, f"{key}.")
        else:
            flat[key] = value
    return flat


def overlay(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested maps with values set by dotted key.

    A key below something that is no map is left out: the check of the result names that place.
    """
    result: dict[str, Any] = deepcopy(dict(values))
    for key, value in changes.items():
        _set(result, key, value)
    return result


def differences(before: Any, after: Any) -> Iterator[Change]:
    """Yield the keys whose values differ, in the order of `after`. 1, 1.0 and true differ."""
    old = flatten(before) if isinstance(before, Mapping) else {}
    new = flatten(after) if isinstance(after, Mapping) else {}
    for key in (*new, *(key for key in old if key not in new)):
        change = Change(key, old.get(key, ABSENT), new.get(key, ABSENT))
        if repr(change.before) != repr(change.after):  # unlike ==, repr tells 1 from 1.0 and true
            yield change


def as_text(value: Any) -> str:
    """Return a value as it is written in YAML on one line, its end cut off where it is long."""
    text = _flow(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def set_values(path: Path, changes: Mapping[str, Any], *, source: str = "") -> list[Change]:
    """Set values of a parameter file by dotted key and return what changed.

    Lists and maps are written on one line, long maps with one line per key. Keys that have their
    value already, and all comments, stay as they are.

    Args:
        path: of the parameter file.
        changes: values by dotted key.
        source: names the origin of the changes in errors; the path by default.

    Raises:
        ConfigError: the file cannot be read, or the parameters are not valid with the changes. The
            file then stays as it is.
    """
    before = read_values(path) or {}
    after = overlay(before, changes) if isinstance(before, dict) else before
    changed = list(differences(before, after))
    yaml = YAML()
    yaml.width = 200
    document = yaml.load(path) or {}
    for change in changed:
        _set(document, change.key, _styled(change.after))
    content = io.StringIO()
    yaml.dump(document, content)
    # The text that is written is what is checked.
    parse_config(YAML(typ="safe").load(content.getvalue()), source=source or str(path))
    if changed:
        write_text(path, content.getvalue())
    return changed


def _set(values: Any, key: str, value: Any) -> None:
    """Set a value by dotted key, unless something above it is no map."""
    *sections, name = key.split(".")
    place = values
    for section in sections:
        place = place.get(section) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place[name] = value


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(entry) for entry in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _styled(value: Any) -> Any:
    """Return a value in the form in which it is written: see `set_values`."""
    if isinstance(value, dict) and len(str(value)) > LINE:
        return CommentedMap({name: _styled(entry) for name, entry in value.items()})
    if not isinstance(value, (list, dict)):
        return value
    collection = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
    collection.fa.set_flow_style()
    return collection
