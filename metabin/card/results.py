"""The part of a model card that is measured after the training: scores on unseen data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from metabin.card.markdown import percent, table
from metabin.card.training import CARD
from metabin.errors import CheckpointError
from metabin.results import tables
from metabin.results.intervals import interval_over_people
from metabin.results.statistics import Interval
from metabin.stage_files import read_csv, read_json, read_text
from metabin.types import FINAL

if TYPE_CHECKING:
    from metabin.model.description import ModelDescription

DIGEST = 16  # digits of a fingerprint in scores.csv
SCORES = (
    *("fold", "method", "seed", "test_domain", "role", "fingerprint"),
    *("num_ids", "num_query", "mAP", "mINP", "rank1"),
)
QUERIES = ("fold", "method", "seed", "test_domain", "trial", "pid", "query", "AP")
POOR = 0.1  # average precision of a query


@dataclass(frozen=True, slots=True)
class Results:
    """The unseen tests of some folds, as the stage evaluate wrote them.

    Args:
        scores: fold, method, seed, test_domain, fingerprint, num_ids, num_query, mAP, mINP, rank1.
        queries: fold, method, seed, test_domain, trial, pid, query, AP.
        ranked_lists: As in `metabin.report.inputs.ReportInputs`.
    """

    scores: pd.DataFrame
    queries: pd.DataFrame
    ranked_lists: Sequence[dict[str, Any]]


def read_results(folder: Path) -> Results:
    """Read the unseen tests of all folds; without any fold, the tables are empty."""
    folds = sorted(path.parent for path in folder.glob("*/scores.csv"))
    if not folds:
        return Results(pd.DataFrame(), pd.DataFrame(), ())
    scores, queries = (
        pd.concat([read_csv(fold / name, columns) for fold in folds], ignore_index=True)
        for name, columns in (("scores.csv", SCORES), ("queries.csv", QUERIES))
    )
    lists = [read_json(fold / "ranked_lists.json", list) for fold in folds]
    unseen = scores[scores["role"] == "unseen"]
    return Results(unseen, queries, [item for fold in lists for item in fold])


def complete_card(folder: Path, description: ModelDescription, results: Path) -> str:
    """Return the card of a training, with what was measured later on unseen data sets.

    Args:
        folder: Of the training.
        results: Folder with a folder of scores per fold; it may not exist.

    Raises:
        CheckpointError: The training wrote no card.
    """
    card = folder / CARD
    if not card.is_file():
        raise CheckpointError(f"{card} is missing; train again with `dvc repro` to write it")
    text = results_text(description, read_results(results))
    return read_text(card) + (f"\n{text}" if text else "")


def results_text(description: ModelDescription, results: Results) -> str:
    """Return the scores on unseen data sets that say what to expect of a model.

    For the model of a fold these are its scores on the data sets held out. For a final model they
    are the scores of its method in the folds that held out one of its training data sets.

    Returns:
        Markdown; "" if there are no such scores.
    """
    if results.scores.empty:
        return ""
    related = results.scores[_is_related(description, results.scores)]
    scores = related[related["method"] == description.method]
    if scores.empty:
        return ""
    keys = [*tables.CELL, "method", "seed"]
    cells = scores[keys].drop_duplicates()
    queries = results.queries.merge(cells, on=keys)
    parts = [
        "### Unseen data sets",
        _explanation(description, scores),
        _scores_table(scores, queries),
        _comparison(related, description.method),
        *_failures(queries, _worst_lists(results.ranked_lists, cells)),
    ]
    return "\n\n".join(parts) + "\n"


def _is_related(description: ModelDescription, scores: pd.DataFrame) -> pd.Series:
    """Return the rows whose test says what to expect of a model, as booleans."""
    if description.fold != FINAL:
        return (scores["fold"] == description.fold) & (scores["seed"] == description.seed)
    # Other images under the same name say nothing of this model.
    digests = {name: digest[:DIGEST] for name, digest in description.domains.items()}
    return scores["test_domain"].map(digests) == scores["fingerprint"]


def _explanation(description: ModelDescription, scores: pd.DataFrame) -> str:
    if description.fold != FINAL:
        text = "The training read no image of these data sets."
    else:
        seeds = ", ".join(str(seed) for seed in sorted(scores["seed"].unique()))
        text = (
            "This model trained on all of them, so these are scores of other models: each data set "
            f"was held out while the same method trained on others (seeds: {seeds}). Expect scores "
            "like these at a new place of the same kind."
        )
    return f"{text} 95 % intervals resample people, not trainings."


def _scores_table(scores: pd.DataFrame, queries: pd.DataFrame) -> str:
    """Return a row for every unseen data set, as means over seeds, and their mean."""
    heads = ("held out", "identities", "queries", "mAP, %", "95 %", "rank-1, %", "mINP, %")
    rows = []
    for (fold, domain), cell in scores.groupby(tables.CELL, sort=False):
        tested = queries[(queries["fold"] == fold) & (queries["test_domain"] == domain)]
        first = cell.iloc[0]
        means = cell[["mAP", "rank1", "mINP"]].mean()
        numbers = [percent(means[name]) for name in ("mAP", "rank1", "mINP")]
        numbers.insert(1, _interval_text(interval_over_people(tested)))
        rows.append((domain, int(first["num_ids"]), int(first["num_query"]), *numbers))
    if len(rows) > 1:
        means = scores.groupby(tables.CELL)[["mAP", "rank1", "mINP"]].mean().mean()
        mAP, rank1, mINP = (percent(means[name]) for name in ("mAP", "rank1", "mINP"))  # noqa: N806
        rows.append(("mean", "", "", mAP, "", rank1, mINP))
    return table(heads, rows)


def _interval_text(value: Interval | None) -> str:
    return "-" if value is None else f"{percent(value.low)} to {percent(value.high)}"


def _comparison(scores: pd.DataFrame, method: str) -> str:
    """Return the mean of every other trained method on the same data sets."""
    trained = scores[scores["seed"] >= 0]
    means = trained.groupby(["method", *tables.CELL])["mAP"].mean().groupby("method").mean()
    others = means.drop(method).sort_values(ascending=False)
    if others.empty:
        return "No other method was tested on these data sets."
    listed = ", ".join(f"`{name}` {percent(mean)}" for name, mean in others.items())
    return f"Mean mAP of other methods on the same data sets, percent: {listed}."


def _worst_lists(
    ranked_lists: Sequence[dict[str, Any]], cells: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the worst query of every unseen data set, of the first seed that has one."""
    known = set(cells.itertuples(index=False, name=None))
    worst: dict[tuple[str, str], dict[str, Any]] = {}
    for item in sorted(ranked_lists, key=lambda item: item["seed"]):
        key = (item["fold"], item["test_domain"], item["method"], item["seed"])
        if item["kind"] == "worst" and key in known:
            worst.setdefault(key[:2], item)
    return list(worst.values())


def _failures(queries: pd.DataFrame, worst: Sequence[dict[str, Any]]) -> list[str]:
    """Return how many queries fail, and the worst of each data set."""
    poor = percent((queries["AP"] < POOR).mean())
    blocks = [
        "### Known failures",
        f"{poor} % of the unseen queries have an average precision (AP) below {percent(POOR)} %.",
    ]
    if worst:
        heads = ("held out", "AP, %", "worst query", "nearest image", "distance")
        blocks.append(table(heads, [_worst_row(item) for item in worst]))
        blocks.append("The report shows the images of these queries under *Ranked lists*.")
    return blocks


def _worst_row(item: dict[str, Any]) -> tuple[str, ...]:
    query = item["query"]
    nearest = item["gallery"][0]
    return (
        item["test_domain"],
        percent(item["average_precision"]),
        f"person {query['pid']}, camera {query['camid']}",
        f"person {nearest['pid']}, camera {nearest['camid']}",
        f"{nearest['distance']:.2f}",
    )
