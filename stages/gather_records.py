"""The outputs of trainings and evaluations, as the report reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stages import layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from metabin.config import Config
    from metabin.rho_channels import RhoChannels


def load_records(config: Config, folds: Sequence[str]) -> dict[str, Any]:
    """Return the outputs of trainings and evaluations, by field of `ReportInputs`."""
    from metabin.data.store import load_overlaps

    trainings = {
        layout.training(fold, method, seed): {"fold": fold, "method": method, "seed": seed}
        for fold in folds
        for method in config.protocol.methods
        for seed in config.protocol.seeds
    }

    def of_trainings(name: str) -> pd.DataFrame:
        return _concat({folder / name: keys for folder, keys in trainings.items()})

    def of_folds(name: str) -> pd.DataFrame:
        return _concat({layout.results(fold) / name: {} for fold in folds})

    finals = {name: layout.final_training(name, config.protocol) for name in config.protocol.final}
    ranked = [(layout.results(fold) / "ranked_lists.json").read_text() for fold in folds]
    overlaps = {fold: load_overlaps(layout.PARTITION, fold) for fold in folds}
    return {
        "scores": of_folds("scores.csv"),
        "queries": of_folds("queries.csv"),
        "candidates": of_folds("selection.csv"),
        "without_overlap": of_folds("without_overlap.csv"),
        "camera_pairs": of_folds("camera_pairs.csv"),
        "verification": of_folds("verification.csv"),
        "embedding_map": of_folds("embedding_map.csv"),
        "rho_probe": _concat({layout.rho_probe(fold) / "rho.csv": {} for fold in folds}),
        "losses": of_trainings("losses.csv"),
        "rho": of_trainings("rho.csv"),
        "rho_histograms": of_trainings("rho_histograms.csv"),
        "rho_channels": load_channels(trainings, config.protocol.seeds[0]),
        "final_models": {name: folder.as_posix() for name, folder in finals.items()},
        "final_scores": _concat(
            {folder / "source_scores.csv": {"method": name} for name, folder in finals.items()}
        ),
        "ranked_lists": [item for text in ranked for item in json.loads(text)],
        "overlaps": [{"fold": fold, **item} for fold in folds for item in overlaps[fold]],
    }


def load_channels(
    trainings: Mapping[Path, Mapping[str, Any]], seed: int
) -> dict[tuple[str, str, int], RhoChannels]:
    """Return the rho of every channel of the trainings with a seed that learn rho."""
    from metabin.rho_channels import FILE, read_channels

    records = {
        (keys["fold"], keys["method"], seed): read_channels(folder / FILE)
        for folder, keys in trainings.items()
        if keys["seed"] == seed
    }
    return {key: channels for key, channels in records.items() if channels.layers}


def _concat(files: Mapping[Path, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of CSV files one after the other, with the added columns of each file."""
    import pandas as pd

    tables = [pd.read_csv(path).assign(**columns) for path, columns in files.items()]
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled or tables[:1] or [pd.DataFrame()], ignore_index=True)
