"""A training's candidates: their weights are kept as it goes, and one is chosen on the sources.

This happens in the train stage, which reads no file of the held-out domain: the choice is an output of a process that
had no target to look at, and is there before any image of the target is embedded.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stages import layout

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from metabin.engine.trainer import Keeper, Trainer
    from metabin.model.embedder import Embedder


def keeper(key: tuple[str, str, int], unfinished: Path, header: Mapping[str, Any]) -> Keeper:
    """What writes candidates: into the training's outputs, and beside its state for the run that goes on after a kill.

    Those that a killed run left there are taken over; DVC has removed its outputs.

    Args:
        key: fold, method and seed. unfinished: `layout.resume` of the training.
    """
    from metabin.model import weights

    training = layout.training(*key)
    kept, output = (folder / "candidates" for folder in (unfinished, training))
    shutil.rmtree(output, ignore_errors=True)
    if kept.is_dir():
        shutil.copytree(kept, output, ignore=shutil.ignore_patterns("*.partial"))

    def keep(step: int, model: Embedder) -> None:
        for folder in (kept, output):
            weights.save_weights(folder / layout.weights(*key, step).name, model, header)

    return keep


def choose(training: Trainer, key: tuple[str, str, int], manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Score every candidate on the sources' held-out identities and write selection.csv: step, source_mAP, chosen."""
    from metabin.evaluation import scoring
    from metabin.files import write_text
    from metabin.model.weights import load_model
    from metabin.results import best_step

    tests = scoring.load_source_tests(layout.PARTITION, manifest)
    last = training.candidates[-1]
    found = dict.fromkeys(training.candidates, float("nan"))
    for step in found if tests else ():
        path = layout.weights(*key, None if step == last else step)
        model = load_model(path, training.config.model, training.name, training.device)
        found[step] = scoring.mean_mAP(model, tests, training.device)
    table = best_step.table(found)
    text = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(layout.training(*key) / "selection.csv", text)
    return table
