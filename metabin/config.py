"""The parameters of params.yaml: typed, frozen, validated. An unknown or missing key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from metabin.errors import ConfigError

BASELINES = ("bn", "in", "bin_fixed", "bin_joint")
METABIN = "metabin"

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    """Unknown keys and silent conversions are refused; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Protocol(Section):
    domains: list[Name] = Field(min_length=3)
    baselines: list[Literal["bn", "in", "bin_fixed", "bin_joint"]]
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _without_repeats(self) -> Protocol:
        for key in ("domains", "baselines", "seeds"):
            values = getattr(self, key)
            if repeated := sorted({str(value) for value in values if values.count(value) > 1}):
                raise ValueError(f"{key} names {', '.join(repeated)} more than once")
        return self


class Benchmark(Section):
    seed: Annotated[int, Field(ge=0)]
    num_ids: Annotated[int, Field(ge=2, le=9999)]
    num_shots: Annotated[int, Field(ge=1, le=9)]
    gap: Fraction
    spread: Fraction
    twin: Fraction
    tone: Fraction
    num_changes: Annotated[list[Count], Field(min_length=2, max_length=2)]

    @field_validator("num_changes")
    @classmethod
    def _fewest_first(cls, value: list[int]) -> list[int]:
        if value[0] > value[1]:
            raise ValueError(f"found {value}; the fewest come first, then the most")
        return value


class Partition(Section):
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=8)]
    num_train_ids: Annotated[int, Field(ge=2)]


class Model(Section):
    backbone: Literal["resnet_small", "resnet50"]
    rho_init: Fraction
    rho_fixed: Fraction


class Optim(Section):
    num_steps: Count
    ids_per_batch: Annotated[int, Field(ge=2)]
    images_per_id: Annotated[int, Field(ge=2)]
    optimizer: Literal["adam", "sgd"]
    lr: Positive
    weight_decay: NotNegative
    schedule: Literal["one_cycle", "warmup_milestones"]
    warmup_steps: Annotated[int, Field(ge=0)]
    milestones: list[Count]
    smoothing: Annotated[float, Field(ge=0, lt=0.5)]
    margin: NotNegative
    ce_weight: NotNegative
    triplet_weight: NotNegative
    bias_lr_factor: Positive
    rho_lr: Positive
    flip: Fraction
    pad: Annotated[int, Field(ge=0)]


class Meta(Section):
    outer_lr: Positive
    inner_lr: NotNegative
    inner_schedule: Literal["cyclic", "fixed"]
    inner_period: Annotated[int, Field(ge=2)]
    num_meta_train: Literal["auto"] | Count
    ids_per_domain: Annotated[int, Field(ge=2)]
    scatter_weight: NotNegative
    shuffle_weight: NotNegative
    triplet_weight: NotNegative
    second_order: bool

    def meta_train_domains(self, num_sources: int) -> int:
        """How many of the sources play meta-train; at least one is left for meta-test."""
        return (num_sources + 1) // 2 if self.num_meta_train == "auto" else int(self.num_meta_train)


class Record(Section):
    loss_every: Count
    rho_every: Count
    checkpoint_every: Count


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"]
    num_threads: Count


class Config(Section):
    """All parameters, section by section as in params.yaml, where each one is explained."""

    protocol: Protocol
    benchmark: Benchmark
    partition: Partition
    model: Model
    optim: Optim
    meta: Meta
    record: Record
    compute: Compute

    @model_validator(mode="after")
    def _sections_fit(self) -> Config:
        num_sources, wanted = (
            len(self.protocol.domains) - 1,
            self.meta.meta_train_domains(len(self.protocol.domains) - 1),
        )
        if wanted >= num_sources:
            raise ValueError(
                f"meta.num_meta_train is {wanted}, but {len(self.protocol.domains)} protocol.domains leave "
                f"{num_sources} sources a fold and one must stay for meta-test; use at most "
                f"{num_sources - 1}, or auto"
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
    key = ".".join(str(part) for part in problem["loc"] if part not in ("literal['auto']", "constrained-int"))
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
