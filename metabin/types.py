"""The values that travel between the layers. Legend: B batch, N images, D embedding size, K source domains."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # cheap stages must not pay for importing torch, nor the configuration for numpy
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: `path` relative to the domain's folder, the data set's own `pid`, a 0-based `camid`.

    `part` is the data set's own split: "train", "query" or "gallery"; "" where it has none. A distractor belongs to the
    gallery alone: it is nobody that is searched for, and never trains.
    """

    path: str
    pid: int
    camid: int
    domain: str
    part: str = ""
    distractor: bool = False


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain on disk: its records, sorted by path, the folder that their paths are relative to, the layout of a copy
    ("drawn" of a site of the benchmark), and the fingerprint over all images (see `metabin.data.acquisition.check`)."""

    records: tuple[ImageRecord, ...]
    images: Path
    layout: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class DomainSplit:
    """The images of one domain in one role. As a target a domain has no `train` images.

    A small target is tested several times, each of `trials` its own query and gallery; the others are empty.
    """

    name: str
    train: tuple[ImageRecord, ...] = ()
    query: tuple[ImageRecord, ...] = ()
    gallery: tuple[ImageRecord, ...] = ()
    trials: tuple[tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Train on `sources`, test on `targets`, which training must never see.

    Raises:
        ValueError: a domain is both source and target, or one of the two is empty.
    """

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if both := sorted(set(self.sources) & set(self.targets)):
            raise ValueError(f"fold {self.name!r}: {both} are both sources and targets; a target must be unseen")
        if not self.sources or not self.targets:
            raise ValueError(
                f"fold {self.name!r} needs at least one source and one target, found "
                f"{len(self.sources)} and {len(self.targets)}"
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """A training batch. `label` counts the fold's identities, `domain` is an index into `fold.sources`."""

    images: Tensor  # (B, 3, H, W) float32, normalised
    label: Tensor  # (B,) int64
    camid: Tensor  # (B,) int64
    domain: Tensor  # (B,) int64


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What the network makes of N images."""

    features: np.ndarray  # (N, D) float32
    pid: np.ndarray  # (N,) int64
    camid: np.ndarray  # (N,) int64


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Fractions in [0, 1], means over the `num_query` queries that have a valid match; NaN when there is none."""

    mAP: float
    mINP: float
    cmc: dict[int, float]  # rank -> fraction of queries with a match at that rank or before
    num_query: int
    by_query: dict[int, float] = field(default_factory=dict, repr=False)  # index of each of them -> average precision
