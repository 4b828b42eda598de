"""Paths of the files that stages write, relative to the repository's root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metabin.types import FINAL

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
    """Return the folder with the recorded check of an entry of data.local."""
    return LOCAL / name.lstrip("/")


def check_state(name: str) -> Path:
    """Return the file with the state of a local data set at its last check on this machine."""
    return project() / ".checks" / f"{name.lstrip('/')}.sha256"


def raw(domain: str, protocol: Protocol) -> dict[str, Path]:
    """Return the folder of every data set of a domain.

    A group has one per member, and one per source that trains for this domain alone.
    """
    members = protocol.groups.get(domain, [domain])
    sources = protocol.sources_of.get(domain, [])
    if domain in protocol.groups or sources:
        return {name: RAW / domain / name for name in (*members, *sources)}
    return {domain: RAW / domain}


def raw_folders(protocol: Protocol) -> dict[str, Path]:
    """Return the folder of every data set of a protocol."""
    folders: dict[str, Path] = {}
    for domain in (*protocol.domains, *protocol.sources):
        folders |= raw(domain, protocol)
    return folders


def training(fold: str, method: str, seed: int) -> Path:
    """Return the folder with the results of a training."""
    return MODELS / fold / method / f"seed-{seed}"


def final_training(method: str, protocol: Protocol) -> Path:
    """Return the folder with the final model of a method, which trained on all data sets."""
    return training(FINAL, method, protocol.final_seed)


def trainings(protocol: Protocol) -> list[tuple[str, str, int]]:
    """Return the fold, method and seed of every training of a protocol."""
    of_folds = [
        (fold, method, seed)
        for fold in protocol.domains
        for method in protocol.methods
        for seed in protocol.seeds
    ]
    return of_folds + [(FINAL, method, protocol.final_seed) for method in protocol.final]


def candidate(fold: str, method: str, seed: int, step: int) -> Path:
    """Return the file with the weights of a training after a candidate step."""
    return training(fold, method, seed) / "candidates" / f"step-{step}.safetensors"


def results(fold: str) -> Path:
    """Return the folder with the scores of a fold."""
    return RESULTS / fold


def rho_probe(fold: str) -> Path:
    """Return the folder with the rho probe of a fold."""
    return RHO_PROBE / fold


def resume_states() -> Path:
    """Return the folder of the states of unfinished trainings.

    It is no output, as DVC removes outputs before it runs a stage. It is in the project's own
    folder, so that an experiment in a temporary folder resumes too.
    """
    return project() / ".resume"


def lock(name: str) -> Path:
    """Return the file of a lock of this working directory, which may be an experiment's."""
    return Path(".dvc/tmp/metabin-locks") / name


def project() -> Path:
    """Return the project's own folder, also if DVC runs an experiment in a temporary one."""
    return Path(os.environ.get("DVC_ROOT", "."))


def training_code() -> list[Path]:
    """Return the code that decides the outcome of a training: the deps of the stage train."""
    return [Path(path) for path in _stage("train")["deps"] if path.startswith("metabin/")]


def stage_params(name: str) -> list[str]:
    """Return the sections and keys of params.yaml that a stage reads."""
    return _stage(name)["params"]


def _stage(name: str) -> dict[str, Any]:
    """Return the entry of a stage in dvc.yaml; for a stage of `foreach`, of each of its items."""
    import yaml

    stage = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][name]
    return stage.get("do", stage)
