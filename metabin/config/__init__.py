"""The parameters of params.yaml: typed, frozen, validated. An unknown or missing key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from metabin.config.sections import (
    BACKBONES,
    METABIN,
    Augment,
    Benchmark,
    Compute,
    Data,
    Meta,
    Model,
    Optim,
    Partition,
    Protocol,
    Record,
    Section,
)
from metabin.errors import ConfigError

__all__ = [
    "METABIN",
    "Augment",
    "Benchmark",
    "Compute",
    "Config",
    "Data",
    "Meta",
    "Model",
    "Optim",
    "Partition",
    "Protocol",
    "Record",
    "load_config",
    "parse_config",
]


UNION_PARTS = ("literal['auto']", "literal['all','official']", "constrained-int")  # pydantic's names, not ours


class Config(Section):
    """All parameters, section by section as in params.yaml, where each one is explained."""

    protocol: Protocol
    data: Data
    benchmark: Benchmark
    partition: Partition
    model: Model
    optim: Optim
    augment: Augment
    meta: Meta
    record: Record
    compute: Compute

    @model_validator(mode="after")
    def _sections_fit(self) -> Config:
        if self.meta.domains == "datasets":
            try:
                self.meta.meta_train_domains(self.protocol.num_sources)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        if self.meta.inner_schedule == "cyclic" and self.optim.unit == "steps" and self.meta.inner_period < 2:
            raise ValueError("meta.inner_period is 1 step; a cycle needs at least 2, or meta.inner_schedule = fixed")
        if "dualnorm" in self.protocol.baselines and not self.model.backbone.startswith("mobilenetv2"):
            raise ValueError(
                f"protocol.baselines has dualnorm, which is defined for MobileNetV2; backbone is {self.model.backbone}"
            )
        stride, height, width = BACKBONES[self.model.backbone][0], self.partition.height, self.partition.width
        if -(-height // stride) * -(-width // stride) == 1:
            raise ValueError(
                f"images of {height}x{width} become maps of 1x1 in {self.model.backbone}, where instance normalisation "
                f"has nothing to average; make partition.height or width larger than {stride}"
            )
        return self


def load_config(path: str | Path = "params.yaml") -> Config:
    """Read and check a parameter file.

    The file is read as YAML 1.2, the version that DVC writes: there 1e-05 is a number and `on` is a name.

    Raises:
        ConfigError: what was found, what was wanted and where.
    """
    try:
        values = YAML(typ="safe").load(Path(path))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the repository's root, where params.yaml is") from None
    except YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    return parse_config(values, source=str(path))


def parse_config(values: Any, *, source: str = "parameters") -> Config:
    """Check parameters that are already read; `source` names them in errors."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors(include_url=False)]
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems)) from None


def _explain(problem: Any) -> str:
    """One pydantic error as: the key, what was found, what is wanted."""
    key = ".".join(str(part) for part in problem["loc"] if part not in UNION_PARTS)
    if problem["type"] == "extra_forbidden":
        section: Any = Config
        for part in problem["loc"][:-1]:
            section = section.model_fields[part].annotation
        return f"unknown key {key}; known there are {', '.join(section.model_fields)}"
    if problem["type"] == "missing":
        return f"missing key {key}; see params.yaml in the repository for its meaning and default"
    if problem["type"] == "value_error":
        return f"{key + ': ' if key else ''}{problem['ctx']['error']}"
    return f"{key} is {problem['input']!r}; {problem['msg']}"
