"""Result files: CSV files with the means of a run, small enough to commit.

One row per fold, method, seed and `tests`: a style distance of the unseen sites, or "seen" for the
held-out identities of the sources. `sources` is the number of sources of the fold. Metrics are
means over the sites, in percent in the file and fractions in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from metabin.errors import UserError
from metabin.stage_files import read_csv, reading

SEEN = "seen"
METRICS = ["mAP", "rank1", "mINP"]
KEY = ["fold", "method", "seed", "tests"]
TYPES = {
    **{"fold": str, "sources": int, "method": str, "seed": int, "tests": str},
    **dict.fromkeys(METRICS, float),
}
REMEDY = "run `python -m stages.tools.evidence collect`"


def result_table(
    scores: pd.DataFrame,
    num_sources: Mapping[str, int],
    methods: Sequence[str],
    distances: Sequence[str],
) -> pd.DataFrame:
    """Return the content of a result file, ordered by fold, method, seed and style distance.

    Args:
        scores: fold, method, seed, tests and metrics (fractions), one row per test domain.
        num_sources: fold -> number of its sources; the folds to return.
        methods: to return, in this order.
        distances: the values of `tests` but "seen", in this order.
    """
    means = scores.groupby(KEY)[METRICS].mean()
    seeds = sorted(scores["seed"].unique())
    order = pd.MultiIndex.from_product(
        [list(num_sources), list(methods), seeds, [*distances, SEEN]], names=KEY
    )
    table = (100 * means.reindex(order).dropna(how="all")).round(3).reset_index()
    return table.assign(sources=table["fold"].map(num_sources))[list(TYPES)]


def read_results(paths: Sequence[Path], distances: Sequence[str]) -> pd.DataFrame:
    """Return the rows of result files, by style distance and "seen" last, metrics as fractions.

    Files may hold different methods of the same folds.

    Args:
        paths: of the files.
        distances: the values of `tests` but "seen", in the order to return.

    Raises:
        StageFileError: a file is missing or damaged.
        UserError: two rows are of the same training and tests, or a method lacks a fold, a seed or
            a value of `tests` that another one has with as many sources.
    """
    table = pd.concat([_read(path, distances) for path in paths], ignore_index=True)
    repeated = table[table.duplicated(["sources", *KEY])]
    if not repeated.empty:
        raise UserError(
            f"two rows are of {_first(repeated)}; give variants of one method other names, or "
            "leave one of the files out"
        )
    for _, rows in table.groupby("sources"):
        cells = rows.pivot(index=["fold", "seed", "tests"], columns="method", values="mAP")
        every = cells.melt(value_name="mAP", ignore_index=False).reset_index()
        lacking = every[every["mAP"].isna()]
        if not lacking.empty:
            raise UserError(
                f"no row is of {_first(lacking)}, where another method has one; compare methods "
                "on the same folds, seeds and style distances"
            )
    order = [*distances, SEEN]
    return table.sort_values("tests", key=lambda tests: tests.map(order.index), kind="stable")


def _read(path: Path, distances: Sequence[str]) -> pd.DataFrame:
    table = read_csv(path, list(TYPES), REMEDY)
    with reading(path, REMEDY):
        if table.isna().any(axis=None):
            raise ValueError("a value is missing")
        table = table[list(TYPES)].astype(TYPES)
        if unknown := set(table["tests"]) - {*distances, SEEN}:
            raise ValueError(f"tests is {unknown.pop()!r}, expected {', '.join(distances)} or seen")
    table[METRICS] /= 100
    return table


def _first(rows: pd.DataFrame) -> str:
    """Return the first of some rows as text: "fold draw-200, method bn, seed 0, tests near"."""
    return ", ".join(f"{name} {rows[name].iloc[0]}" for name in KEY)
