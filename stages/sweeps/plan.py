"""What a sweep tries: the file that names the parameters, and its checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import (
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from metabin.errors import ConfigError
from stages import layout
from stages.sweeps.values import Section, Values

if TYPE_CHECKING:
    from metabin.config import Config


class Plan(Section):
    """A sweep.

    Attributes:
        method: that is trained, of protocol.meta_learned or protocol.baselines.
        trials: number of combinations, the present values of params.yaml included.
        folds: held-out domains to train on the others of; None: all.
        seed: of the proposals.
        parameters: what is tried, by dotted key as "meta.inner_lr".
    """

    method: str
    trials: PositiveInt
    folds: list[str] | None = None
    seed: NonNegativeInt = 0
    parameters: dict[str, Values]

    @model_validator(mode="after")
    def _not_empty(self) -> Plan:
        if not self.parameters or self.folds == []:
            raise ValueError("parameters and folds, where given, need an entry")
        return self


def read_plan(path: Path, trials: int | None = None) -> Plan:
    """Read a sweep from a YAML file.

    Args:
        trials: their number in place of that in the file.

    Raises:
        ConfigError: the file cannot be read, or does not describe a sweep.
    """
    try:
        values = yaml.safe_load(path.read_text())
        if trials is not None and isinstance(values, dict):
            values["trials"] = trials
        return Plan.model_validate(values)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}"
            for item in error.errors()
        ]
        listed = "\n".join(lines)
        raise ConfigError(f"{path} is no sweep; see examples/sweep.yaml:\n{listed}") from None


def require_fit(plan: Plan, config: Config, values: dict[str, Any]) -> None:
    """Check a sweep against params.yaml.

    Args:
        values: of params.yaml by dotted key.

    Raises:
        ConfigError: the protocol has no such method or fold, no training of the method reads a
            parameter, or the sources have no held-out identities to score trials on.
    """
    protocol = config.protocol
    methods = [*protocol.meta_learned, *protocol.baselines]
    if plan.method not in methods:
        raise ConfigError(
            f"method is {plan.method}, which params.yaml does not train; "
            f"it trains {', '.join(methods)}"
        )
    if wrong := [fold for fold in plan.folds or () if fold not in protocol.domains]:
        known = ", ".join(protocol.domains)
        raise ConfigError(f"folds: {', '.join(wrong)} is unknown; known are {known}")
    sections = layout.stage_params(stage(plan, config))
    for key in plan.parameters:
        if key not in values:
            raise ConfigError(f"parameters: {key} is unknown; params.yaml has no such key")
        if key.split(".")[0] not in sections:
            raise ConfigError(
                f"parameters: {key} is not read by a training of {plan.method}, which reads "
                f"{', '.join(sections)}; only these can be tried"
            )
    if config.partition.num_train_ids == "all":
        raise ConfigError(
            "partition.num_train_ids is all: no identities of the sources are left to score "
            "trials on, and the held-out domain must not choose. Set a number"
        )


def stage(plan: Plan, config: Config) -> str:
    """Return the name of the stage in dvc.yaml that trains the method."""
    return "train" if plan.method in config.protocol.meta_learned else "baseline"
