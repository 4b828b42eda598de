"""What was run: parameters, digests of the data, versions, and the commit of the code."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from metabin.report.display import DASH

CODE = ("metabin", "stages", "params.yaml", "dvc.yaml", "requirements.txt")
PACKAGES = ("torch", "numpy", "pillow", "dvc", "mlflow", "pandas")


def provenance(params: Mapping[str, Any], digests: Mapping[str, str], root: Path) -> dict[str, Any]:
    """Plain values for the report.

    The commit is the last one that changed the code or the parameters, so that the report stays the same when only
    documents, or the report's own hash in dvc.lock, are committed.
    """
    return {
        "code": _code(root),
        "data": dict(digests),
        "versions": {name: version(name) for name in PACKAGES},
        "parameters": dict(params),
    }


def _code(root: Path) -> dict[str, Any]:
    commit = _git(root, "log", "-1", "--format=%H", "--", *CODE)
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *CODE)
    files = [line.split(maxsplit=1)[1] for line in (changed or "").splitlines()]
    return {"commit": commit or "unknown: not a git checkout", "changed since": files or "nothing"}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def flatten_sections(provenance: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{section: {dotted key: text}}; what stands at the top level comes first, under ""."""
    sections: dict[str, dict[str, str]] = {"": {}}
    for key, value in provenance.items():
        if isinstance(value, Mapping):
            sections[str(key)] = dict(_leaves(value, ""))
        else:
            sections[""][str(key)] = _leaf_text(value)
    return {name: leaves for name, leaves in sections.items() if leaves}


def _leaves(value: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, child in value.items():
        name = f"{prefix}{key}"
        found += _leaves(child, f"{name}.") if isinstance(child, Mapping) and child else [(name, _leaf_text(child))]
    return found


def _leaf_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_leaf_text, value))
    return DASH if value is None or value == {} else str(value)
