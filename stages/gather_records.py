"""The outputs of trainings and evaluations, as the report reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from metabin.config import Config
    from metabin.rho_channels import RhoChannels


def load_records(config: Config, folds: Sequence[str]) -> dict[str, Any]:
    """Return the outputs of trainings and evaluations, by field of `ReportInputs`."""
    from metabin.data.store import load_overlaps
    from metabin.report.inputs import COLUMNS
    from metabin.stage_files import read_json

    trainings = trainings_of(config, folds)

    def of_trainings(name: str) -> pd.DataFrame:
        files = {folder / f"{name}.csv": keys for folder, keys in trainings.items()}
        return _concat(files, COLUMNS[name])

    def of_folds(name: str, file: str = "") -> pd.DataFrame:
        files = {layout.results(fold) / f"{file or name}.csv": {} for fold in folds}
        return _concat(files, COLUMNS[name])

    scores = load_scores(config, folds)
    finals = {name: layout.final_training(name, config.protocol) for name in config.protocol.final}
    ranked = [read_json(layout.results(fold) / "ranked_lists.json", list) for fold in folds]
    overlaps = {fold: load_overlaps(layout.PARTITION, fold) for fold in folds}
    return {
        "scores": scores,
        "queries": of_folds("queries"),
        "candidates": of_folds("candidates", "selection"),
        "without_overlap": of_folds("without_overlap"),
        "camera_pairs": of_folds("camera_pairs"),
        "verification": of_folds("verification"),
        "embedding_map": of_folds("embedding_map"),
        "rho_probe": _concat(
            {layout.rho_probe(fold) / "rho.csv": {} for fold in folds}, COLUMNS["rho_probe"]
        ),
        "losses": of_trainings("losses"),
        "rho": of_trainings("rho"),
        "rho_histograms": of_trainings("rho_histograms"),
        "rho_channels": load_channels(trainings, config.protocol.seeds[0]),
        "final_models": {name: folder.as_posix() for name, folder in finals.items()},
        "final_scores": _concat(
            {folder / "source_scores.csv": {"method": name} for name, folder in finals.items()},
            COLUMNS["final_scores"],
        ),
        "ranked_lists": [item for items in ranked for item in items],
        "overlaps": [{"fold": fold, **item} for fold in folds for item in overlaps[fold]],
    }


def trainings_of(config: Config, folds: Sequence[str]) -> dict[Path, dict[str, Any]]:
    """Return the folder of every training of some folds, with its fold, method and seed."""
    return {
        layout.training(fold, method, seed): {"fold": fold, "method": method, "seed": seed}
        for fold in folds
        for method in config.protocol.methods
        for seed in config.protocol.seeds
    }


def load_scores(config: Config, folds: Sequence[str]) -> pd.DataFrame:
    """Return the scores of all folds.

    Raises:
        StageFileError: a training has none.
    """
    from metabin.report.inputs import SCORE_COLUMNS

    scores = _concat({layout.results(fold) / "scores.csv": {} for fold in folds}, SCORE_COLUMNS)
    require_scores(scores, trainings_of(config, folds).values())
    return scores


def require_scores(scores: pd.DataFrame, trainings: Iterable[Mapping[str, Any]]) -> None:
    """Check that every training has scores.

    Raises:
        StageFileError: some have none: scores.csv is cut off, or older than the parameters.
    """
    from metabin.errors import StageFileError

    scored = set(zip(scores["fold"], scores["method"], scores["seed"], strict=True))
    for keys in trainings:
        if (keys["fold"], keys["method"], keys["seed"]) not in scored:
            path = layout.results(keys["fold"]) / "scores.csv"
            raise StageFileError(
                f"{path} has no scores of {keys['method']} with the seed {keys['seed']}; "
                "run `dvc repro` to make it again"
            )


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


def _concat(files: Mapping[Path, Mapping[str, Any]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows of CSV files one after the other, with the added columns of each file.

    Args:
        files: path -> names and values of the added columns.
        columns: that the result must have.
    """
    import pandas as pd

    from metabin.stage_files import read_csv

    tables = [
        read_csv(path, [name for name in columns if name not in added]).assign(**added)
        for path, added in files.items()
    ]
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled or tables[:1] or [pd.DataFrame()], ignore_index=True)
