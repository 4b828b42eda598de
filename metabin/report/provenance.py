"""Provenance of a run: parameters, digests of the data, versions, and the commit of the code."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metabin.report.display import DASH
from metabin.repository import CODE, run_git

PATHS = (*CODE, "params.yaml")
PACKAGES = ("torch", "numpy", "pillow", "dvc", "mlflow", "pandas")


def provenance(params: Mapping[str, Any], digests: Mapping[str, str], root: Path) -> dict[str, Any]:
    """Return plain values for the report.

    The commit is the last one that changed the code or the parameters. So the report stays the same
    when only documents, or the report's own hash in dvc.lock, are committed.
    """
    return {
        "code": _code(root),
        "data": dict(digests),
        "versions": {name: version(name) for name in PACKAGES},
        "parameters": dict(params),
    }


def flatten_sections(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return {section: {dotted key: text}}; top-level values come first, under ""."""
    sections: dict[str, dict[str, str]] = {"": {}}
    for key, value in values.items():
        if isinstance(value, Mapping):
            sections[str(key)] = dict(_leaves(value, ""))
        else:
            sections[""][str(key)] = _leaf_text(value)
    return {name: leaves for name, leaves in sections.items() if leaves}


def _code(root: Path) -> dict[str, Any]:
    commit = run_git("log", "-1", "--format=%H", "--", *PATHS, folder=root)
    changed = run_git("status", "--porcelain", "--untracked-files=no", "--", *PATHS, folder=root)
    files = [line.split(maxsplit=1)[1] for line in (changed or "").splitlines()]
    return {
        "commit": commit or "unknown: not a git checkout",
        "changed since": files or "nothing",
    }


def _leaves(value: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for key, child in value.items():
        name = f"{prefix}{key}"
        if isinstance(child, Mapping) and child:
            leaves += _leaves(child, f"{name}.")
        else:
            leaves.append((name, _leaf_text(child)))
    return leaves


def _leaf_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_leaf_text, value))
    return DASH if value is None or value == {} else str(value)
