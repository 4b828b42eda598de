"""Where the stages put their files, relative to the repository's root."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path()
RAW = Path("data/raw")
PARTITION = Path("data/partition")
REPORTS = Path("reports")


def raw(domain: str) -> Path:
    return RAW / domain


def sheet(domain: str) -> Path:
    return Path("data/sheets") / f"{domain}.jpg"


def training(fold: str, method: str, seed: int) -> Path:
    return Path("models") / fold / method / f"seed-{seed}"


def results(fold: str) -> Path:
    return Path("results") / fold


def resume(digest: str) -> Path:
    """The state of an unfinished training. No output of the pipeline: kept at the root of the main checkout, which DVC
    names in DVC_ROOT, so that an experiment in a temporary folder resumes as well."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".resume" / f"{digest}.pt"
