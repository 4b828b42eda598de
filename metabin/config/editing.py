"""Changes to a parameter file that keep its comments."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from metabin.config import parse_config, read_values
from metabin.files import write_text


def set_values(path: Path, changes: Mapping[str, Any]) -> None:
    """Set values of a parameter file by dotted key, as "protocol.domains".

    Lists and maps are written on one line.

    Raises:
        ConfigError: the file cannot be read, or the parameters are not valid with the changes. The file then
            stays as it is.
    """
    yaml = YAML()
    yaml.width = 200
    values = yaml.load(path) if read_values(path) else {}
    for dotted, value in changes.items():
        section, key = dotted.split(".")
        if isinstance(values, dict) and isinstance(values.get(section), dict):  # else the check below says so
            values[section][key] = _flow_style(value)
    content = io.StringIO()
    yaml.dump(values, content)
    parse_config(YAML(typ="safe").load(content.getvalue()), source=str(path))
    write_text(path, content.getvalue())


def _flow_style(value: Any) -> Any:
    if not isinstance(value, (list, dict)):
        return value
    collection = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
    collection.fa.set_flow_style()
    return collection
