"""A trial of a sweep: train the folds with its parameters, and score it on the sources."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metabin.errors import UserError
from metabin.files import write_text
from stages import layout
from stages.side_by_side import reproduce_all
from stages.sweeps.plan import Plan, stage
from stages.sweeps.workspace import PARAMS, save_experiment

if TYPE_CHECKING:
    from metabin.config import Config


class TrialError(UserError):
    """A trial has no score: its parameters are not valid together, or a training failed."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep in its clone, which is the working directory.

    Attributes:
        root: of the user's repository.
        commit: that the experiments start from.
        params: the text of params.yaml before any trial.
        slots: the additions to the environment of each training at the same time.
    """

    name: str
    plan: Plan
    config: Config
    root: Path
    commit: str
    params: str
    slots: Sequence[Mapping[str, str]]

    @property
    def folds(self) -> list[str]:
        return list(self.plan.folds or self.config.protocol.domains)

    @property
    def seeds(self) -> list[int]:
        return list(self.config.protocol.seeds)

    def scores(self, number: int, values: Mapping[str, Any]) -> Iterator[float]:
        """Train the folds with some values, and yield the source mAP of each, a fraction.

        Raises:
            TrialError: the values are not valid, or a training failed.
        """
        self._set(number, values)
        at_once = max(1, len(self.slots) // len(self.seeds))
        for first in range(0, len(self.folds), at_once):
            folds = self.folds[first : first + at_once]
            self._train(folds)
            yield from map(self._score, folds)

    def finish(self, number: int, score: float) -> None:
        """Save a trial that has trained all folds as a DVC experiment, and record its score."""
        from metabin import tracking

        save_experiment(self._experiment(number), self._stages(self.folds), self.root)
        with tracking.open_run("parent") as run:
            run.tags({"sweep": self.name})
            run.metrics({"source_mAP": 100 * score})

    def _set(self, number: int, values: Mapping[str, Any]) -> None:
        from metabin.config.editing import set_values
        from metabin.errors import ConfigError

        write_text(Path(PARAMS), self.params)
        try:
            set_values(Path(PARAMS), values)
        except ConfigError as error:
            raise TrialError(str(error)) from None
        # The runs of the trainings in MLflow are below one of the trial.
        os.environ["DVC_EXP_NAME"] = self._experiment(number)
        os.environ["DVC_EXP_BASELINE_REV"] = self.commit

    def _train(self, folds: Sequence[str]) -> None:
        if failed := reproduce_all(self._stages(folds), self.slots, Silent()):
            raise TrialError("\n".join(f"{name}: {reason}" for name, reason in failed.items()))

    def _score(self, fold: str) -> float:
        """Return the source mAP of the chosen candidates of a fold, mean over seeds."""
        from metabin.stage_files import read_csv

        scores = []
        for seed in self.seeds:
            folder = layout.training(fold, self.plan.method, seed)
            table = read_csv(folder / "selection.csv", ("chosen", "source_mAP"))
            scores.append(float(table.loc[table["chosen"], "source_mAP"].item()))
        return sum(scores) / len(scores)

    def _stages(self, folds: Sequence[str]) -> list[str]:
        prefix = stage(self.plan, self.config)
        method = self.plan.method
        return [f"{prefix}@{fold}-{method}-{seed}" for fold in folds for seed in self.seeds]

    def _experiment(self, number: int) -> str:
        return f"{self.name}-{number}"


class Silent:
    """Shows nothing: a trial prints a line for each fold."""

    def begin(self, name: str) -> None: ...

    def end(self, name: str, text: str, *, succeeded: bool) -> None: ...
