"""Presets: files that hold the parameters of a run that differ from the committed params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metabin.config import Config, parse_config, read_values
from metabin.config.editing import Change, differences, flatten, overlay
from metabin.errors import ConfigError


@dataclass(frozen=True)
class Preset:
    """A file of presets/.

    Attributes:
        path: of the file.
        title: its first comment line.
        values: by dotted key, as "optim.duration".
    """

    path: Path
    title: str
    values: dict[str, Any]

    def config(self, base: Mapping[str, Any]) -> Config:
        """Return the parameters of params.yaml, given as `base`, with this preset.

        Raises:
            ConfigError: they are not valid together.
        """
        return parse_config(overlay(base, self.values), source=str(self.path))

    def unset_changes(self, committed: Any, current: Any) -> list[Change]:
        """Return the differences of two parameter files in keys that this preset does not set."""
        return [
            change for change in differences(committed, current) if change.key not in self.values
        ]


def load_presets(folder: Path) -> dict[str, Preset]:
    """Read every preset of a folder, by the name of its file, sorted.

    Raises:
        ConfigError: a file is not valid YAML or has a key that is no parameter.
    """
    paths = sorted(folder.glob("*.yaml"), key=lambda path: path.stem)
    return {path.stem: load_preset(path) for path in paths}


def load_preset(path: Path) -> Preset:
    """Read one preset. Its values are checked when they are applied, together with all others.

    Raises:
        ConfigError: there is no such file, it is not valid YAML or has a key that is no parameter.
    """
    values = read_values(path)
    if not isinstance(values, dict) or not values:
        raise ConfigError(
            f"{path} holds {values!r}; expected sections of params.yaml, as optim: {{duration: 60}}"
        )
    for section, keys in values.items():
        _check_section(path, section, keys)
    first = path.read_text(errors="replace").partition("\n")[0]  # YAML may be in UTF-16
    return Preset(path, first.lstrip("# ") if first.startswith("#") else "", flatten(values))


def _check_section(path: Path, section: str, keys: Any) -> None:
    if section not in Config.model_fields:
        raise ConfigError(
            f"{path}: unknown section {section}; known are {', '.join(Config.model_fields)}"
        )
    if not isinstance(keys, dict):
        raise ConfigError(f"{path}: {section} is {keys!r}; expected a map of its keys")
    known = getattr(Config.model_fields[section].annotation, "model_fields", None)  # none: any key
    if known is None:
        return
    if unknown := [str(key) for key in keys if key not in known]:
        dotted = ", ".join(f"{section}.{key}" for key in unknown)
        raise ConfigError(f"{path}: unknown key {dotted}; known there are {', '.join(known)}")
