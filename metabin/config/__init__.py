"""The parameters of params.yaml: typed, frozen, validated. An unknown or missing key is an error."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from metabin.config.effects import without_effect
from metabin.config.protocol import Protocol
from metabin.config.sections import (
    BACKBONES,
    BASELINES,
    META_LEARNED,
    METABIN,
    Augment,
    Benchmark,
    Compute,
    Data,
    Meta,
    Model,
    Name,
    Optim,
    Partition,
    Record,
    Section,
    Tracking,
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
    "Tracking",
    "load_config",
    "parse_config",
    "read_values",
]


# pydantic's names, not ours
UNION_PARTS = ("literal['auto']", "literal['all','official']", "literal['all']", "constrained-int")
OF_A_TRAINING = ("model", "optim", "augment", "meta")  # the sections that a variant may change


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
    tracking: Tracking
    variants: dict[Name, dict[str, Any]]

    @model_validator(mode="after")
    def _local_files_are_listed(self) -> Config:
        file = self.model.pretrained_file
        if file and file not in self.data.local:
            entries = ", ".join([*self.data.local, file])
            raise ValueError(
                f"model.pretrained is {file}, a file of yours: list it in data.local, so that `dvc repro` notices when "
                f"it changes: data.local: [{entries}]"
            )
        return self

    @model_validator(mode="after")
    def _variants_fit(self) -> Config:
        for name in self.variants:
            if name in (*BASELINES, *META_LEARNED):
                raise ValueError(f"variants.{name} has the name of a method; give the variant another")
            try:
                self.of(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        known = (*META_LEARNED, *self.variants)
        if wrong := [name for name in self.protocol.meta_learned if name not in known]:
            raise ValueError(f"protocol.meta_learned: {', '.join(wrong)} is unknown; known are {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _data_is_used(self) -> Config:
        targets, datasets = self.protocol.targets, self.protocol.datasets
        for key, known, what in (("splits", targets, "target"), ("accept_unfit", datasets, "data set")):
            if unknown := [name for name in getattr(self.data, key) if name not in known]:
                raise ValueError(
                    f"data.{key} names {', '.join(unknown)}, which is no {what} of the protocol; "
                    f"its {what}s are {', '.join(known)}. Remove the name, or set protocol first"
                )
        return self

    @model_validator(mode="after")
    def _mldg_fits(self) -> Config:
        for name in self.protocol.methods:
            method, config = self.of(name)
            if method == "mldg" and config.meta.statistics != "batch":
                raise ValueError(
                    f"meta.statistics is {config.meta.statistics}, but {name} of protocol.meta_learned always "
                    "normalises with the batch's; set it to batch, or in a variant of metabin alone"
                )
        return self

    @model_validator(mode="after")
    def _sections_fit(self) -> Config:
        if self.meta.domains == "datasets":
            try:
                self.meta.meta_train_domains(self.protocol.num_sources)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        if self.meta.inner_schedule == "cyclic" and self.optim.unit == "steps" and self.meta.inner_period < 2:
            raise ValueError("meta.inner_period is 1 step; a cycle needs at least 2, or meta.inner_schedule = fixed")
        if self.optim.schedule == "one_cycle" and (self.optim.warmup or self.optim.milestones):
            raise ValueError(
                f"optim.warmup is {self.optim.warmup} and optim.milestones is {self.optim.milestones}, which have no "
                "effect on optim.schedule = one_cycle; set them to 0 and [], or the schedule to warmup_milestones"
            )
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

    @property
    def pretrained_files(self) -> set[str]:
        """The local files of weights to start from, of all methods and variants."""
        configs = [self, *(self.of(name)[1] for name in self.variants)]
        return {config.model.pretrained_file for config in configs if config.model.pretrained_file}

    def of(self, name: str) -> tuple[str, Config]:
        """The method that a name in `protocol.methods` stands for, and the parameters of its trainings.

        A variant is a method with some parameters of its own: {"method": "metabin", "meta.inner_schedule": "fixed"}.

        Raises:
            ConfigError: the variant names no method, or changes what is no parameter of a training or has no
                effect on the method.
        """
        if name not in self.variants:
            return name, self
        changes = dict(self.variants[name])
        method = changes.pop("method", None)
        if method not in (*BASELINES, *META_LEARNED):
            wanted = ", ".join((*BASELINES, *META_LEARNED))
            raise ConfigError(f"variants.{name}.method is {method!r}; wanted is one of {wanted}")
        if unread := without_effect(method, changes):
            raise ConfigError(
                f"variants.{name} changes {', '.join(unread)}, without effect on the method {method}; "
                "leave it out, or name another method"
            )
        values = self.model_dump() | {"variants": {}}
        values["protocol"]["meta_learned"] = [METABIN]  # the variants' names are not known any more
        for key, value in changes.items():
            _change(values, key, value, f"variants.{name}")
        return method, parse_config(values, source=f"variants.{name}")


def _change(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    """Set a dotted key; what is wrong with its last part is told when the whole is parsed."""
    *sections, last = key.split(".")
    if not sections or sections[0] not in OF_A_TRAINING:
        raise ConfigError(
            f"{source} changes {key}; a variant can change what is in {', '.join(OF_A_TRAINING)}, as meta.inner_lr"
        )
    place: Any = values
    for section in sections:
        place = place.get(section)
        if not isinstance(place, dict):
            raise ConfigError(f"{source} changes {key}, but there is no section {section}")
    place[last] = deepcopy(value)


def load_config(path: str | Path = "params.yaml") -> Config:
    """Read and check a parameter file.

    Raises:
        ConfigError: what was found, what was wanted and where.
    """
    return parse_config(read_values(path), source=str(path))


def read_values(path: str | Path) -> Any:
    """Read a parameter file without checking its values.

    The file is read as YAML 1.2, the version that DVC writes: there 1e-05 is a number and `on` is a name.

    Raises:
        ConfigError: there is no such file, or it is not valid YAML.
    """
    try:
        return YAML(typ="safe").load(Path(path))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the repository's root, where params.yaml is") from None
    except YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None


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
