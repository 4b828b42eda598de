"""From a model and images to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from metabin.data.batches.loading import ImageSet, load_part, normalise
from metabin.data.store import num_trials
from metabin.evaluation.metrics import Multiply, cosine_blocks, score_blocks
from metabin.model.embedder import Embedder
from metabin.types import Embeddings, RetrievalScores


@dataclass(frozen=True, slots=True)
class TestSet:
    """The query and gallery images of one domain in one fold; `unseen` when no source of the fold is that domain."""

    __test__ = False  # its name is not pytest's affair

    domain: str
    unseen: bool
    query: ImageSet
    gallery: ImageSet
    trial: int | None = None  # which of several random splits

    @property
    def every_image_queries(self) -> bool:
        return np.array_equal(self.query.row, self.gallery.row)


def load_tests(directory: Path, manifest: Mapping[str, Any]) -> list[TestSet]:
    """The test images of every domain of a fold that has some, the held-out domains first; a test for each trial.

    Raises:
        DatasetError: a file of a domain is missing.
    """
    return _load_tests(directory, manifest, (*manifest["targets"], *manifest["sources"]))


def load_source_tests(directory: Path, manifest: Mapping[str, Any]) -> list[TestSet]:
    """The same of the sources alone: no file of a held-out domain is opened. Empty where every image trains."""
    return _load_tests(directory, manifest, manifest["sources"])


def _load_tests(directory: Path, manifest: Mapping[str, Any], domains: Sequence[str]) -> list[TestSet]:
    tests = []
    for name in domains:
        for trial in range(num_trials(manifest, name)) or (None,):
            query, gallery = (load_part(directory, manifest, (name,), part, trial) for part in ("query", "gallery"))
            if len(query):
                tests.append(TestSet(name, name in manifest["targets"], query, gallery, trial))
    return tests


def embed(model: Embedder, images: ImageSet, *, batch_size: int = 256) -> Embeddings:
    """Embeddings after the neck, float32.

    Raises:
        ValueError: the model is in training mode, where it would normalise with the test batch.
    """
    if model.training:
        raise ValueError("the model is in training mode and would normalise with the test batch; call eval() first")
    if not len(images):  # a layer may not take a batch of none
        return Embeddings(np.empty((0, model.neck.num_features), np.float32), images.pid, images.camid)
    device = next(model.parameters()).device
    features = [
        model.embed(normalise(torch.from_numpy(images.images(index)).to(device))).float().cpu().numpy()
        for index in np.array_split(np.arange(len(images)), max(1, -(-len(images) // batch_size)))
    ]
    return Embeddings(np.concatenate(features), images.pid, images.camid)


def embed_test(model: Embedder, test: TestSet) -> tuple[Embeddings, Embeddings]:
    """Embeddings of the query and of the gallery images; computed once where they are the same images."""
    gallery = embed(model, test.gallery)
    return (gallery if test.every_image_queries else embed(model, test.query)), gallery


def retrieval_scores(query: Embeddings, gallery: Embeddings, device: torch.device | None = None) -> RetrievalScores:
    """CMC, mAP and mINP by cosine distance and the Market-1501 rule.

    Args:
        device: where the product of the embeddings is computed; by numpy if it is None or the CPU.
    """
    multiply = product_on(device, gallery.features) if device and device.type != "cpu" else None
    blocks = cosine_blocks(query.features, gallery.features, multiply)
    return score_blocks(blocks, query.pid, gallery.pid, query.camid, gallery.camid)


def mean_mAP(model: Embedder, tests: Sequence[TestSet], device: torch.device | None = None) -> float:
    """Of several domains, each with the same weight; one without a valid match does not count. NaN if none is left."""
    found = [retrieval_scores(*embed_test(model, test), device).mAP for test in tests]
    return float(pd.Series(found, dtype=float).mean())


def product_on(device: torch.device, gallery: np.ndarray) -> Multiply:
    """A function that gives rows @ gallery.T, computed on the device, where the gallery stays."""
    columns = torch.from_numpy(gallery).to(device).T
    return lambda rows: (torch.from_numpy(rows).to(device) @ columns).cpu().numpy()


def score_row(scores: RetrievalScores, test: TestSet) -> dict[str, Any]:
    """A test's scores as one row of a results table.

    `num_query` and `num_ids` count what the means are over: the queries with a valid match, and the identities
    among them.
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
    """test_domain, trial, pid, query, AP: a row for each query with a valid match.

    `query` is the image's row in its domain, the same in every trial.
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
    """One row for each test domain: means over its trials, their number, and how mAP and rank-1 deviate.

    The deviation is over trials (n - 1), not over seeds; NaN where there is one trial.
    """
    keys = ["fold", "method", "seed", "test_domain", "role"]
    grouped = rows.groupby(keys, sort=False)
    means = grouped.mean().drop(columns="trial").astype({"num_ids": int, "num_query": int})
    spread = grouped[["mAP", "rank1"]].std().add_suffix("_trial_std")
    return means.assign(num_trials=grouped.size()).join(spread).reset_index()
