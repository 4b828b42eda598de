"""What the train stage writes: models, and their scores on the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages import layout

if TYPE_CHECKING:
    import torch

    from metabin.model.embedder import Embedder


def load_trained(
    fold: str, name: str, seed: int, device: torch.device, step: int | None = None
) -> Embedder:
    """Return a trained model on the device, in evaluation mode.

    Args:
        name: a method or a variant of `protocol.methods`.
        step: of an earlier candidate; None loads the weights at the end of the training.

    Raises:
        CheckpointError: a file is missing or damaged, or does not fit the network.
    """
    from metabin.model.weights import load_model

    weights = None if step is None else layout.candidate(fold, name, seed, step)
    return load_model(layout.training(fold, name, seed), device, weights=weights)


def load_candidates(fold: str, name: str, seed: int) -> dict[int, float]:
    """Return the steps of a training's candidates, ascending, each with its mAP on the sources.

    The mAP is NaN where the sources have no held-out identities.
    """
    from metabin.stage_files import read_csv

    path = layout.training(fold, name, seed) / "selection.csv"
    table = read_csv(path, ("step", "source_mAP"))
    return dict(zip(table["step"].tolist(), table["source_mAP"].tolist(), strict=True))


def load_source_scores(fold: str, name: str, seed: int) -> list[dict[str, Any]]:
    """Return the scores of a trained model on its sources, see `scoring.score_tests`."""
    from metabin.stage_files import read_csv

    path = layout.training(fold, name, seed) / "source_scores.csv"
    table = read_csv(path, ("test_domain", "mAP"))
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
