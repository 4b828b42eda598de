"""Evaluation of a trained model: the table of the pipeline, for any model and data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from metabin.evaluation.scoring import (
    embed_in_batches,
    embed_test_by,
    mean_over_trials,
    query_table,
    retrieval_scores,
    score_row,
)
from metabin.inference.evaluation_data import EvaluationData
from metabin.inference.model import ReIDModel, TorchBackend
from metabin.model.description import ModelDescription


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a model.

    Attributes:
        scores: One row per data set, with the columns of results/<fold>/scores.csv.
        queries: One row per query with a match: test_domain, trial, pid, query, AP.
        remarks: Sentences on the meaning of the scores.
    """

    scores: pd.DataFrame
    queries: pd.DataFrame
    remarks: tuple[str, ...]


def evaluate(
    model: ReIDModel,
    data: Sequence[EvaluationData],
    on_images: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Score a model on data sets.

    Args:
        data: At least one data set.
        on_images: Called with the number of images after every batch, for progress.

    Raises:
        DatasetError: An image is missing or cannot be read.
    """
    description = model.description
    key = {"method": description.method, "seed": description.seed}
    # The backend: the pipeline scales to unit length only where it computes distances.
    embed_images = partial(embed_in_batches, model.backend, advance=on_images)
    rows = []
    queries = []
    for dataset in data:
        unseen = not seen_as(description, dataset)
        for test in dataset.tests(description.height, description.width, unseen=unseen):
            query, gallery = embed_test_by(embed_images, test)
            # Distances are computed where the pipeline computes them; of an ONNX file on the CPU.
            device = model.backend.device if isinstance(model.backend, TorchBackend) else None
            scores = retrieval_scores(query, gallery, device)
            rows.append({"fold": dataset.fold, **key, **score_row(scores, test)})
            queries.append(query_table(scores, test))
    fingerprints = {dataset.name: dataset.fingerprint[:16] for dataset in data}
    table = mean_over_trials(pd.DataFrame(rows))
    table["fingerprint"] = table["test_domain"].map(fingerprints)
    return Evaluation(table, pd.concat(queries, ignore_index=True), _remarks(description, data))


def num_images(data: Sequence[EvaluationData]) -> int:
    """Return the number of images that an evaluation embeds."""
    return sum(
        len(gallery) + (0 if np.array_equal(query, gallery) else len(query))
        for dataset in data
        for query, gallery in dataset.splits
    )


def seen_as(description: ModelDescription, data: EvaluationData) -> str:
    """Return the training data set of a model that is a data set to test; "" for an unseen one.

    It has the same images, or else the same name.
    """
    for name, fingerprint in description.domains.items():
        if fingerprint == data.fingerprint:
            return name
    return data.name if data.name in description.domains else ""


def _remarks(description: ModelDescription, data: Sequence[EvaluationData]) -> tuple[str, ...]:
    """Return sentences on seen data sets, on images that are read from files and on queries.

    A sentence that holds for several data sets names all of them.
    """
    names: dict[str, list[str]] = {}
    for dataset in data:
        for sentence in (_role(description, dataset), _size(description, dataset), dataset.remark):
            if sentence:
                names.setdefault(sentence, []).append(dataset.name)
    return tuple(f"{', '.join(members)}: {sentence}" for sentence, members in names.items())


def _role(description: ModelDescription, data: EvaluationData) -> str:
    """Return a sentence on a data set that the model has seen; "" for an unseen one."""
    name = seen_as(description, data)
    if not name:
        return ""
    if description.domains[name] != data.fingerprint:
        text = "seen; the model trained on other images of a data set of this name"
    elif name != data.name:
        text = f"seen; the model trained on this data set by the name {name}"
    else:
        text = "seen; the model trained on this data set"
    if name == data.name and _has_sources_of(description, data):
        return f"{text}, and the test is of its other people"
    return f"{text}, and tested images may be training images: do not report these scores"


def _size(description: ModelDescription, data: EvaluationData) -> str:
    """Return a sentence on images that the partition holds at another size; "" if it does not."""
    height = description.height
    width = description.width
    if data.pixels is None or data.has_pixels(height, width):
        return ""
    _, partition_height, partition_width, _ = data.pixels.shape
    return (
        f"the partition holds images of {partition_height}x{partition_width}, and the model takes "
        f"{height}x{width}; the image files are read"
    )


def _has_sources_of(description: ModelDescription, data: EvaluationData) -> bool:
    """Return whether a test is of a fold with the training images of a model.

    The data sets must have equal images, and as many identities must train. The first identities
    of a data set train, so these are the same ones.
    """
    sources = {name: data.sources[name] for name in description.domains if name in data.sources}
    fingerprints = {name: source.fingerprint for name, source in sources.items()}
    num_ids = sum(source.num_ids for source in sources.values())
    return fingerprints == description.domains and num_ids == description.num_classes
