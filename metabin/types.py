"""Values that pass between the layers.

Legend: B batch, N images, D embedding size, K source domains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # cheap stages must not pay for importing torch, nor the configuration for numpy
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a data set.

    Attributes:
        path: Relative to the domain's folder.
        pid: Number of the person, as the data set counts.
        camid: Number of the camera, from 0.
        domain: Name of the data set.
        part: "train", "query" or "gallery" of the data set's official split; "" without one.
        distractor: True for a gallery image of nobody that is searched for; it never trains.
    """

    path: str
    pid: int
    camid: int
    domain: str
    part: str = ""
    distractor: bool = False


FINAL = "final"  # name of the fold that holds no data set out
Trial = tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]]  # query and gallery of one test


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain on disk.

    Attributes:
        records: Sorted by path.
        images: Folder that the records' paths are relative to.
        layout: Layout of a local data set; "rendered" for a site of the synthetic benchmark.
        fingerprint: Over all images, see `metabin.data.acquisition.check.fingerprint`.
    """

    records: tuple[ImageRecord, ...]
    images: Path
    layout: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class DomainSplit:
    """The images of one domain in one role. A target has no `train` images.

    A small target is tested several times, each of `trials` with its own query and gallery;
    `query` and `gallery` are then empty.
    """

    name: str
    train: tuple[ImageRecord, ...] = ()
    query: tuple[ImageRecord, ...] = ()
    gallery: tuple[ImageRecord, ...] = ()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Train on `sources`, test on `targets`, which training must never see.

    The fold `FINAL` has no targets: its models train on all data sets.

    Raises:
        ValueError: a domain is both source and target, there is no source, or a fold other than
            `FINAL` has no target.
    """

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if both := sorted(set(self.sources) & set(self.targets)):
            raise ValueError(
                f"fold {self.name!r}: {both} are both sources and targets; a target must be unseen"
            )
        if not self.sources or not (self.targets or self.name == FINAL):
            raise ValueError(
                f"fold {self.name!r} needs at least one source and one target, found "
                f"{len(self.sources)} and {len(self.targets)}"
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """A training batch.

    Each of R ranks has its share of the images, and the labels, cameras and domains of all.
    `label` counts the identities of the fold, `domain` is an index into `fold.sources`. A batch of
    V views has every image V times: all first views, then all second ones.
    """

    images: Tensor  # (V * B, 3, H, W) float32, normalised; of several ranks, (V * B / R, 3, H, W)
    label: Tensor  # (B,) int64
    camid: Tensor  # (B,) int64
    domain: Tensor  # (B,) int64
    num_views: int = 1  # V


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The network's output for N images."""

    features: np.ndarray  # (N, D) float32
    pid: np.ndarray  # (N,) int64
    camid: np.ndarray  # (N,) int64


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Fractions in [0, 1], means over the `num_query` queries with a match; NaN without any.

    `by_query` maps the index of each of these queries to its average precision.
    """

    mAP: float
    mINP: float
    cmc: dict[int, float]  # rank -> fraction of queries with a match at that rank or before
    num_query: int
    by_query: dict[int, float] = field(default_factory=dict, repr=False)
