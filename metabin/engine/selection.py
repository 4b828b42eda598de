"""Checkpoint selection: keep candidates during a training, and choose one on the sources.

Training reads no file of the held-out domain, so the choice is made before any image of the target
is embedded.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import torch

from metabin.engine.resume import CANDIDATES
from metabin.engine.trainer import Keeper
from metabin.evaluation.scoring import TestSet, score_tests
from metabin.files import write_bytes
from metabin.model.embedder import Embedder
from metabin.model.weights import save_weights
from metabin.results.best_step import selection_table


def candidate_name(step: int) -> str:
    """Return the file name of the weights after a step."""
    return f"step-{step}.safetensors"


def keep_candidates(folder: Path) -> Keeper:
    """Return the function that writes the weights of candidates during a training.

    Args:
        folder: beside the resume state, as DVC removes the outputs of a killed run.
    """

    def keep(step: int, model: Embedder) -> None:
        save_weights(folder / candidate_name(step), model)

    return keep


def copy_candidates(folder: Path, output: Path) -> None:
    """Copy the candidates beside the resume state to a training's outputs, as its only ones."""
    shutil.rmtree(output, ignore_errors=True)
    for candidate in folder.glob(CANDIDATES):
        write_bytes(output / candidate.name, candidate.read_bytes())


def select_on_sources(
    steps: Sequence[int],
    load: Callable[[int], Embedder],
    tests: Sequence[TestSet],
    device: torch.device,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every candidate on the held-out identities of the sources, and choose the best one.

    Args:
        steps: of the candidates.
        load: step -> its model, in evaluation mode.
        tests: of the sources; empty where all their identities train.
    Returns: a table of the candidates with step, source_mAP (NaN without tests) and chosen; and the
        scores of the last candidate, see `metabin.evaluation.scoring.score_tests`.
    """
    tables = {step: score_tests(load(step), tests, device) for step in steps}
    source_mAP = {step: float(table["mAP"].mean()) for step, table in tables.items()}
    return selection_table(source_mAP), tables[steps[-1]]
