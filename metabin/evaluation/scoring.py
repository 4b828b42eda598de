"""Embeddings of test images, and the scores of their retrieval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from metabin.compute import memory_limit
from metabin.data.batches.loading import ImageSet, load_part, normalise
from metabin.data.store import num_trials
from metabin.evaluation.metrics import Multiply, cosine_blocks, score_blocks
from metabin.model.embedder import Embedder
from metabin.types import Embeddings, RetrievalScores

BATCH_SIZE = 256  # images that are embedded at a time
ELSEWHERE = "free memory of the device, or choose another one (compute.device, --device)"
# Columns of `score_row`.
SCORE_COLUMNS = (
    *("test_domain", "role", "trial", "num_ids", "num_query"),
    *("mAP", "mINP", "rank1", "rank5", "rank10"),
)


@dataclass(frozen=True, slots=True)
class TestSet:
    """The query and gallery images of one domain in one fold."""

    __test__ = False  # pytest collects classes whose names begin with Test

    domain: str
    unseen: bool  # no source of the fold is that domain
    query: ImageSet
    gallery: ImageSet
    trial: int | None = None  # the index of a random split; None if the domain has a fixed one

    @property
    def every_image_queries(self) -> bool:
        """Return whether query and gallery are the same images."""
        return np.array_equal(self.query.row, self.gallery.row)


def load_tests(directory: Path, manifest: Mapping[str, Any]) -> list[TestSet]:
    """Load the tests of a fold: one per domain, or one per trial, the held-out domains first.

    Domains without test images are left out.

    Raises:
        DatasetError: a file of a domain is missing.
    """
    return _load_tests(directory, manifest, (*manifest["targets"], *manifest["sources"]))


def load_source_tests(directory: Path, manifest: Mapping[str, Any]) -> list[TestSet]:
    """Load the tests of a fold's sources, without opening a file of a held-out domain.

    Returns:
        One test per source, or per trial of it; empty if every image trains.

    Raises:
        DatasetError: a file of a domain is missing.
    """
    return _load_tests(directory, manifest, manifest["sources"])


def _load_tests(
    directory: Path, manifest: Mapping[str, Any], domains: Sequence[str]
) -> list[TestSet]:
    tests = []
    for name in domains:
        count = num_trials(manifest, name)
        trials = range(count) if count else [None]
        for trial in trials:
            query = load_part(directory, manifest, (name,), "query", trial)
            gallery = load_part(directory, manifest, (name,), "gallery", trial)
            if len(query):
                tests.append(TestSet(name, name in manifest["targets"], query, gallery, trial))
    return tests


def embed(model: Embedder, images: ImageSet, *, batch_size: int = BATCH_SIZE) -> Embeddings:
    """Compute the embeddings after the neck, (N, D) float32.

    Raises:
        ValueError: the model is in training mode, where it would normalise with the test batch.
    """
    if model.training:
        raise ValueError(
            "the model is in training mode and would normalise with the test batch; "
            "call eval() first"
        )
    if not len(images):  # some layers refuse an empty batch
        empty = np.empty((0, model.neck.num_features), np.float32)
        return Embeddings(empty, images.pid, images.camid)
    return embed_in_batches(partial(embed_pixels, model), images, batch_size=batch_size)


def embed_in_batches(
    embed_batch: Callable[[np.ndarray], np.ndarray],
    images: ImageSet,
    *,
    batch_size: int = BATCH_SIZE,
    advance: Callable[[int], None] = lambda count: None,
) -> Embeddings:
    """Compute the embeddings of images in batches of nearly equal size.

    Args:
        embed_batch: pixels (B, H, W, 3) uint8 -> embeddings (B, D).
        images: at least one.
        advance: called with the number of images after every batch.
    """
    num_batches = math.ceil(len(images) / batch_size)
    features = []
    for index in np.array_split(np.arange(len(images)), num_batches):
        with memory_limit(f"a batch of {len(index)} images", ELSEWHERE):
            features.append(embed_batch(images.images(index)))
        advance(len(index))
    return Embeddings(np.concatenate(features), images.pid, images.camid)


def embed_pixels(model: Embedder, pixels: np.ndarray) -> np.ndarray:
    """Compute the embeddings of pixels, (B, H, W, 3) uint8 -> (B, D) float32."""
    device = next(model.parameters()).device
    images = normalise(torch.from_numpy(pixels).to(device))
    return model.embed(images).float().cpu().numpy()


def embed_test(model: Embedder, test: TestSet) -> tuple[Embeddings, Embeddings]:
    """Compute the embeddings of the query and of the gallery images of a test."""
    return embed_test_by(partial(embed, model), test)


def embed_test_by(
    embed_images: Callable[[ImageSet], Embeddings], test: TestSet
) -> tuple[Embeddings, Embeddings]:
    """Embed the query and the gallery images by a function, once if they are the same."""
    gallery = embed_images(test.gallery)
    query = gallery if test.every_image_queries else embed_images(test.query)
    return query, gallery


def retrieval_scores(
    query: Embeddings,
    gallery: Embeddings,
    device: torch.device | None = None,
) -> RetrievalScores:
    """Compute CMC, mAP and mINP by cosine distance and the Market-1501 rule.

    Args:
        device: computes the product of the embeddings; numpy does if it is None or the CPU.
    """
    blocks = distance_blocks(query, gallery, device)
    return score_blocks(blocks, query.pid, gallery.pid, query.camid, gallery.camid)


def distance_blocks(
    query: Embeddings, gallery: Embeddings, device: torch.device | None = None
) -> Iterator[np.ndarray]:
    """Return the rows of the matrix of cosine distances, some queries at a time, (B, G).

    Args:
        device: as in `retrieval_scores`.
    """
    multiply = product_on(device, gallery.features) if device and device.type != "cpu" else None
    return cosine_blocks(query.features, gallery.features, multiply)


def score_tests(
    model: Embedder,
    tests: Sequence[TestSet],
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Return the scores of tests, one row of `score_row` per test; without a row if there are none.

    The mAP of a test without a valid match is NaN.

    Args:
        model: trained, in evaluation mode.
        device: computes the distances, see `retrieval_scores`.
    """
    rows = [score_row(retrieval_scores(*embed_test(model, test), device), test) for test in tests]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def product_on(device: torch.device, gallery: np.ndarray) -> Multiply:
    """Return a function that computes rows @ gallery.T on the device, where the gallery stays."""
    columns = torch.from_numpy(gallery).to(device).T
    return lambda rows: (torch.from_numpy(rows).to(device) @ columns).cpu().numpy()


def score_row(scores: RetrievalScores, test: TestSet) -> dict[str, Any]:
    """Return a test's scores as one row of a results table.

    `num_query` counts the queries with a valid match, over which the means are taken, and `num_ids`
    the identities among them.
    """
    scored = np.fromiter(scores.by_query, np.int64)
    return {
        "test_domain": test.domain,
        "role": "unseen" if test.unseen else "seen",
        "trial": -1 if test.trial is None else test.trial,
        "num_ids": len(np.unique(test.query.pid[scored])),
        "num_query": scores.num_query,
        "mAP": scores.mAP,
        "mINP": scores.mINP,
        **{f"rank{k}": fraction for k, fraction in scores.cmc.items()},
    }


def query_table(scores: RetrievalScores, test: TestSet) -> pd.DataFrame:
    """Return the average precision of every query with a valid match, one row per query.

    Returns:
        Columns test_domain, trial, pid, query (the image's row in its domain, the same in every
        trial) and AP.
    """
    index = np.fromiter(scores.by_query, np.int64)
    return pd.DataFrame(
        {
            "test_domain": test.domain,
            "trial": -1 if test.trial is None else test.trial,
            "pid": test.query.pid[index],
            "query": test.query.row[index],
            "AP": np.fromiter(scores.by_query.values(), np.float64),
        }
    )


def mean_over_trials(rows: pd.DataFrame) -> pd.DataFrame:
    """Compute the means over the trials of each test domain.

    Args:
        rows: of `score_row`, each with fold, method and seed.

    Returns:
        One row per fold, method, seed and test domain: the columns of `rows` without `trial`, the
        number of trials, and the standard deviation (n - 1) over trials of mAP and rank1, which is
        NaN for a single trial.
    """
    keys = ["fold", "method", "seed", "test_domain", "role"]
    grouped = rows.groupby(keys, sort=False)
    means = grouped.mean().drop(columns="trial").astype({"num_ids": int, "num_query": int})
    spread = grouped[["mAP", "rank1"]].std().add_suffix("_trial_std")
    return means.assign(num_trials=grouped.size()).join(spread).reset_index()
