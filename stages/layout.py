"""Where the stages put their files, relative to the repository's root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metabin.config import Protocol

ROOT = Path()
RAW = Path("data/raw")
LOCAL = RAW / "local"
SHEETS = Path("data/sheets")
PARTITION = Path("data/partition")
MODELS = Path("models")
RESULTS = Path("results")
RHO_PROBE = Path("rho_probe")
REPORTS = Path("reports")
PROTOCOLS = Path("protocols")


def local(name: str) -> Path:
    """The folder of what `stages.tools.check` records of an entry of data.local."""
    return LOCAL / name.lstrip("/")


def seen(name: str) -> Path:
    """The state in which the check last saw the files of an entry of data.local: this machine's, no output."""
    return project() / ".checks" / f"{name.lstrip('/')}.sha256"


def raw(domain: str, protocol: Protocol) -> dict[str, Path]:
    """The folder of every data set of a domain as `stages.download` writes it: its own, or one for each member of a
    group and for each source that trains for it alone.
    """
    members, own = protocol.groups.get(domain, [domain]), protocol.sources_of.get(domain, [])
    if domain in protocol.groups or own:
        return {name: RAW / domain / name for name in (*members, *own)}
    return {domain: RAW / domain}


def raw_folders(protocol: Protocol) -> dict[str, Path]:
    """The folder of every data set of a protocol."""
    found: dict[str, Path] = {}
    for domain in (*protocol.domains, *protocol.sources):
        found |= raw(domain, protocol)
    return found


def training(fold: str, method: str, seed: int) -> Path:
    return MODELS / fold / method / f"seed-{seed}"


def weights(fold: str, method: str, seed: int, step: int | None = None) -> Path:
    """The weights of a training; with a step those of an earlier candidate."""
    folder = training(fold, method, seed)
    return folder / "weights.safetensors" if step is None else folder / "candidates" / f"step-{step}.safetensors"


def results(fold: str) -> Path:
    return RESULTS / fold


def rho_probe(fold: str) -> Path:
    return RHO_PROBE / fold


def resume(digest: str) -> Path:
    """The folder of an unfinished training. No output of the pipeline, as DVC removes those before it runs a stage. At
    the root of the main checkout, which DVC names in DVC_ROOT, so that an experiment in a temporary folder resumes too.
    """
    return project() / ".resume" / digest


def project() -> Path:
    """The project's own folder, also in the temporary folders in which DVC runs `--temp` and queued experiments."""
    return Path(os.environ.get("DVC_ROOT", "."))
