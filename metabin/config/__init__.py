"""The parameters of params.yaml: typed, validated and immutable.

An unknown or missing key is an error.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from metabin.backbones import BACKBONES
from metabin.config.problems import explain
from metabin.config.protocol import Protocol
from metabin.config.reading import read_values
from metabin.config.sections import (
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
from metabin.registry import VIEW_LOSSES, find_method

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


TRAINING_SECTIONS = ("model", "optim", "augment", "meta")  # the sections that a variant may change


class Config(Section):
    """All parameters, in the sections of params.yaml; comments there explain each of them."""

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
                f"model.pretrained is {file}, a local file that is not listed in data.local; "
                "list it there, so that `dvc repro` notices when it changes: "
                f"data.local: [{entries}]"
            )
        return self

    @model_validator(mode="after")
    def _variants_fit(self) -> Config:
        for name in self.variants:
            if name in (*BASELINES, *META_LEARNED):
                raise ValueError(
                    f"variants.{name} has the name of a method; give the variant another name"
                )
            try:
                self.of(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        known = (*META_LEARNED, *self.variants)
        if wrong := [name for name in self.protocol.meta_learned if name not in known]:
            raise ValueError(
                f"protocol.meta_learned: {', '.join(wrong)} is unknown; "
                f"known are {', '.join(known)}"
            )
        return self

    @model_validator(mode="after")
    def _data_is_used(self) -> Config:
        for key, known, role in (
            ("splits", self.protocol.targets, "target"),
            ("accept_unfit", self.protocol.datasets, "data set"),
        ):
            if unknown := [name for name in getattr(self.data, key) if name not in known]:
                raise ValueError(
                    f"data.{key} names {', '.join(unknown)}, which is no {role} of the protocol; "
                    f"its {role}s are {', '.join(known)}. Remove the name, or set protocol first"
                )
        return self

    @model_validator(mode="after")
    def _methods_fit(self) -> Config:
        for name in self.protocol.methods:
            method, config = self.of(name)
            try:
                find_method(method).check(name, config)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _final_models_fit(self) -> Config:
        for name in self.protocol.final:
            method, config = self.of(name)
            problem = ""
            if name not in self.protocol.methods:
                problem = (
                    "is not tested on held-out domains, so nothing says what to expect of it at a "
                    "new place; add it to protocol.baselines or protocol.meta_learned, or remove it"
                )
            elif find_method(method).learns_on_target:
                problem = "learns on the held-out domain, and a final model has none; remove it"
            elif config.optim.num_sources != "all":
                problem = "trains on all data sets; set optim.num_sources to all, or remove it"
            if problem:
                raise ValueError(f"protocol.final: {name} {problem}")
        return self

    @model_validator(mode="after")
    def _sections_fit(self) -> Config:
        if self.meta.domains == "datasets":
            try:
                self.meta.meta_train_domains(self.protocol.num_sources)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        # In epochs, a period of 1 has many steps.
        in_steps = self.optim.unit == "steps"
        if self.meta.inner_schedule == "cyclic" and in_steps and self.meta.inner_period < 2:
            raise ValueError(
                "meta.inner_period is 1 step; a cycle needs at least 2 steps: "
                "set a longer period, or meta.inner_schedule to fixed"
            )
        if self.optim.schedule == "one_cycle" and (self.optim.warmup or self.optim.milestones):
            raise ValueError(
                f"optim.warmup is {self.optim.warmup} and optim.milestones is "
                f"{self.optim.milestones}, which have no effect on optim.schedule = one_cycle; "
                "set them to 0 and [], or the schedule to warmup_milestones"
            )
        views = [name for name in VIEW_LOSSES if self.optim.losses.get(name)]
        if views and not (self.augment.strong or self.augment.amplitude_mix):
            raise ValueError(
                f"optim.losses has {', '.join(views)}, which compare an image with a strongly "
                "augmented copy, but augment.strong and augment.amplitude_mix are 0; "
                "set one of them, for example augment.strong to 0.5"
            )
        # ceil(height / stride) x ceil(width / stride) is the size of the last maps.
        stride = BACKBONES[self.model.backbone].stride
        height = self.partition.height
        width = self.partition.width
        if -(-height // stride) * -(-width // stride) == 1:
            raise ValueError(
                f"images of {height}x{width} become maps of 1x1 in {self.model.backbone}, "
                "where instance normalisation has nothing to average; "
                f"set partition.height or partition.width to more than {stride}"
            )
        return self

    @model_validator(mode="after")
    def _padding_fits(self) -> Config:
        height = self.partition.height
        width = self.partition.width
        if self.augment.pad >= min(height, width):
            raise ValueError(
                f"augment.pad is {self.augment.pad}, and images are {height}x{width}, so a crop "
                f"could miss the image; set augment.pad to less than {min(height, width)}"
            )
        return self

    @property
    def pretrained_files(self) -> set[str]:
        """The local files of pretrained weights, of all methods and variants."""
        configs = [self, *(self.of(name)[1] for name in self.variants)]
        return {config.model.pretrained_file for config in configs if config.model.pretrained_file}

    def of(self, name: str) -> tuple[str, Config]:
        """Return the method of a name in `protocol.methods`, and the parameters of its trainings.

        A variant is a method with other values of some parameters, for example
        {"method": "metabin", "meta.inner_schedule": "fixed"}.

        Raises:
            ConfigError: the variant names no method, or changes a key that is no parameter of a
                training or that has no effect on the method.
        """
        if name not in self.variants:
            return name, self
        changes = dict(self.variants[name])
        method = changes.pop("method", None)
        if method not in (*BASELINES, *META_LEARNED):
            known = ", ".join((*BASELINES, *META_LEARNED))
            raise ConfigError(f"variants.{name}.method is {method!r}; expected is one of {known}")
        if unread := find_method(method).unread(changes):
            raise ConfigError(
                f"variants.{name} changes {', '.join(unread)}, "
                f"without effect on the method {method}; leave it out, or name another method"
            )
        # Without variants, which would be checked again, and so without their names in the
        # protocol.
        values = self.model_dump() | {"variants": {}}
        values["protocol"] |= {"meta_learned": [METABIN], "final": []}
        for key, value in changes.items():
            _change(values, key, value, f"variants.{name}")
        return method, parse_config(values, source=f"variants.{name}")


def _change(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    """Set a dotted key. An error in its last part is found when the values are parsed.

    Raises:
        ConfigError: the key is in no section of a training.
    """
    *sections, last = key.split(".")
    if not sections or sections[0] not in TRAINING_SECTIONS:
        raise ConfigError(
            f"{source} changes {key}; a variant can change keys of the sections "
            f"{', '.join(TRAINING_SECTIONS)}, for example meta.inner_lr"
        )
    target: Any = values
    for section in sections:
        target = target.get(section)
        if not isinstance(target, dict):
            raise ConfigError(f"{source} changes {key}, but there is no section {section}")
    target[last] = deepcopy(value)


def load_config(path: str | Path = "params.yaml") -> Config:
    """Read and check a parameter file.

    Raises:
        ConfigError: lists every key with a problem, its value and what is expected.
    """
    return parse_config(read_values(path), source=str(path))


def parse_config(values: Any, *, source: str = "parameters") -> Config:
    """Check parameters that are already read.

    Args:
        values: nested maps, as in params.yaml.
        source: name of the values in errors.
    Raises:
        ConfigError: lists every key with a problem, one per line.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = explain(error, Config)
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems)) from None
