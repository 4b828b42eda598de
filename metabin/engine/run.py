"""One training from start to end: train, write weights and history, choose a candidate."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metabin import locks
from metabin.data.batches.loading import PIXEL_MEAN, PIXEL_STD
from metabin.engine.history import History
from metabin.engine.resume import LOCK, identity, state_digest, values_digest
from metabin.engine.selection import (
    candidate_name,
    copy_candidates,
    keep_candidates,
    select_on_sources,
)
from metabin.engine.trainer import Trainer, Watcher
from metabin.evaluation.scoring import load_source_tests
from metabin.files import write_csv
from metabin.model.description import ModelDescription
from metabin.model.embedder import Embedder
from metabin.model.weights import load_model, save_model

CANDIDATES = "candidates"


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of a training.

    Args:
        output: of weights, candidates and history.
        partition: of the partitioned data.
        resume: of the states of unfinished trainings, a folder for each.
    """

    output: Path
    partition: Path
    resume: Path


def train_and_select(
    training: Trainer,
    manifest: Mapping[str, Any],
    name: str,
    folders: Folders,
    code: Iterable[Path],
    watch: Watcher,
    resumed: Callable[[History], None],
) -> pd.DataFrame:
    """Train to the end, write weights, candidates and history, and choose a candidate.

    The resume state is removed last: a process that is killed before does not train again. If
    another experiment runs the same training, this one waits for it, as both would use one state.

    Args:
        manifest: of the fold.
        name: of the method or variant.
        code: files and folders that decide the outcome; a state of other code is not resumed.
        watch, resumed: as of `Trainer.run`.
    Returns: the table of the candidates, see `select_on_sources`, which is also written.
    """
    digest, state = _resume_state(training, manifest, folders, code)
    unfinished = state.parent
    with locks.hold(unfinished / LOCK, "runs this training in another experiment", waits=True):
        keep = keep_candidates(unfinished / CANDIDATES)
        model = training.run(
            watch=watch, keep=keep, resumed=resumed, state_path=state, digest=digest
        )
        copy_candidates(unfinished / CANDIDATES, folders.output / CANDIDATES)
        values = identity(training.config, training.method, training.seed, manifest)
        description = describe(training, manifest, name, values_digest(values))
        save_model(folders.output, model, description)
        training.history.save(folders.output)
        table, source_scores = _select(training, manifest, folders)
        write_csv(folders.output / "selection.csv", table)
        write_csv(folders.output / "source_scores.csv", source_scores, float_format=None)
        state.unlink(missing_ok=True)  # before its candidates: a state implies that they exist
        shutil.rmtree(unfinished, ignore_errors=True)
    return table


def take_part(
    training: Trainer, manifest: Mapping[str, Any], folders: Folders, code: Iterable[Path]
) -> None:
    """Train to the end on a rank other than the first, which alone writes what comes out."""
    digest, state = _resume_state(training, manifest, folders, code)
    training.run(state_path=state, digest=digest)


def _resume_state(
    training: Trainer, manifest: Mapping[str, Any], folders: Folders, code: Iterable[Path]
) -> tuple[str, Path]:
    """Return the digest of a training and the file of its resume state."""
    values = identity(training.config, training.method, training.seed, manifest)
    digest = state_digest(values, code)
    return digest, folders.resume / digest / "state.pt"


def describe(
    training: Trainer, manifest: Mapping[str, Any], name: str, digest: str
) -> ModelDescription:
    """Return the description of a training's model, without the sha256 of its weights."""
    model = training.config.model
    _, height, width, _ = training.data.pixels[0].shape
    sources = source_names(training.config.optim.num_sources, manifest)
    return ModelDescription(
        method=name,
        fold=manifest["fold"],
        held_out=tuple(manifest["targets"]),
        seed=training.seed,
        step=training.times.num_steps,
        domains={source: manifest["domains"][source]["fingerprint"] for source in sources},
        training=digest,
        backbone=model.backbone,
        norm=training.method.norm,
        rho_per=model.rho_per,
        num_classes=training.data.num_classes,
        embedding_size=training.model.neck.num_features,
        height=height,
        width=width,
        pixel_mean=tuple(PIXEL_MEAN.tolist()),
        pixel_std=tuple(PIXEL_STD.tolist()),
        sha256="",
    )


def source_names(num_sources: int | str, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sources of a fold: all, or the first `num_sources` of them."""
    names = tuple(manifest["sources"])
    return names if num_sources == "all" else names[: int(num_sources)]


def _select(
    training: Trainer, manifest: Mapping[str, Any], folders: Folders
) -> tuple[pd.DataFrame, pd.DataFrame]:
    *_, last = training.candidates
    sources = source_names(training.config.optim.num_sources, manifest)

    def load(step: int) -> Embedder:
        candidate = folders.output / CANDIDATES / candidate_name(step)
        weights = None if step == last else candidate
        return load_model(folders.output, training.device, weights=weights)

    tests = load_source_tests(folders.partition, {**manifest, "sources": sources})
    return select_on_sources(training.candidates, load, tests, training.device)
