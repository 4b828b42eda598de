"""How long the stages of this machine take: measured, remembered, and estimated before they run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metabin.config import Config

FILE = Path(".dvc/tmp/metabin-stage-seconds.json")  # of this machine: no output, not in Git
# Seconds per unit of work with the default parameters, two stages at a time on two cores of an AMD
# EPYC, 2026-11-26: for a machine that has measured nothing yet. A unit is a step of a training, and
# a model of an evaluation.
REFERENCE_SETTING = "d294489c9939"
REFERENCE = {"train": 0.42, "baseline": 0.24, "evaluate": 3.8, "rho-probe": 4.6}


class StageTimes:
    """Estimates of stages, by kind and by what changes the work of a unit.

    Args:
        config: the parameters of the run.
        jobs: number of stages at a time; they slow each other down.
    """

    def __init__(self, config: Config, jobs: int, path: Path = FILE) -> None:
        self._config = config
        self._path = path
        self._setting = _setting(config, jobs)
        reference = REFERENCE if self._setting == REFERENCE_SETTING else {}
        self._seconds: dict[str, float] = {**reference, **self._load().get(self._setting, {})}

    def expected(self, name: str) -> float | None:
        """Return the expected seconds of a stage; None if nothing like it was measured."""
        per_unit = self._seconds.get(self._kind(name))
        return None if per_unit is None else per_unit * self._units(name)

    def remember(self, name: str, seconds: float) -> None:
        """Use the seconds that a stage took for those of its kind, now and in later runs."""
        self._seconds[self._kind(name)] = seconds / self._units(name)

    def save(self) -> None:
        """Write what was measured."""
        from metabin.files import write_text

        by_setting = {**self._load(), self._setting: self._seconds}
        write_text(self._path, json.dumps(by_setting, indent=1) + "\n")

    def _load(self) -> dict[str, dict[str, float]]:
        try:
            return json.loads(self._path.read_text())
        except (OSError, ValueError):  # absent or damaged: measured again
            return {}

    def _kind(self, name: str) -> str:
        """Return the stage of dvc.yaml; for a final model that of the method's other trainings."""
        stage, _, method = name.partition("@")
        if stage == "final":
            return "baseline" if method in self._config.protocol.baselines else "train"
        return stage

    def _units(self, name: str) -> float:
        protocol = self._config.protocol
        if name.startswith(("evaluate@", "rho-probe@")):
            return len(protocol.methods) * len(protocol.seeds)
        return self._config.optim.duration


def remaining(
    expected: Mapping[str, float | None], running: Mapping[str, float], jobs: int
) -> float | None:
    """Return the seconds until all stages have ended; None if an estimate is missing.

    Args:
        expected: stages that have not ended -> their expected seconds.
        running: those of them that run -> the seconds since their start.
        jobs: number of stages at a time.
    """
    left = []
    for name, seconds in expected.items():
        if seconds is None:
            return None
        left.append(max(seconds - running.get(name, 0.0), 0.0))
    # No schedule ends before its longest stage, or before the work is shared out evenly.
    return max([sum(left) / jobs, *left], default=0.0)


def duration(seconds: float) -> str:
    """Return a duration as text: "50 s", "14 min", "2 h 5 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _setting(config: Config, jobs: int) -> str:
    """Return a digest of what changes the work of a unit."""
    values: Iterable[object] = (
        jobs,
        config.compute.device,
        config.compute.devices * config.compute.nodes,
        config.model.backbone,
        config.partition.height,
        config.partition.width,
        config.optim.unit,
        config.optim.ids_per_batch * config.optim.images_per_id,
        config.meta.ids_per_domain,
    )
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()[:12]
