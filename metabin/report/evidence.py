"""The table and the figure of result files (`metabin.results.result_files`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from metabin.errors import UserError
from metabin.report.display import (
    Cell,
    Row,
    Table,
    opponents_label,
    percent,
    points,
    points_interval,
)
from metabin.report.style import styles_for
from metabin.results.comparisons import Pair, differences
from metabin.results.statistics import compare

FIGURE_SIZE = (9, 4)  # inches of 100 CSS pixels
DASHES = ("-", "--", ":")


def evidence_table(results: pd.DataFrame, opponents: Sequence[tuple[str, ...]]) -> Table:
    """Return one row per method: mAP (rank-1) as mean and at each distance, and differences.

    Means are over folds, style distances and seeds. Differences are of mean mAP, with the t
    interval over folds, whose seeds are averaged first.

    Args:
        results: as `read_results` returns them, of one number of sources.
        opponents: the methods of each column of differences; of several, the best one of each fold
            counts.
    """
    methods = list(results["method"].unique())
    distances = results["tests"].unique()
    styles = styles_for([*methods, *(name for names in opponents for name in names)])
    means = results.groupby(["method", "tests"])[["mAP", "rank1"]].mean()
    cells = results.rename(columns={"tests": "test_domain"})
    wide = cells.pivot(index=["fold", "test_domain", "seed"], columns="method", values="mAP")
    rows = []
    for method in methods:
        of_method = means.loc[method]
        scores = [of_method.mean(), *(of_method.loc[name] for name in distances)]
        numbers = [Cell(percent(score["mAP"]), second=percent(score["rank1"])) for score in scores]
        numbers += [_difference(wide, Pair(method, names)) for names in opponents]
        rows.append(Row(styles[method].label, tuple(numbers), method))
    heads = [opponents_label(styles, names) for names in opponents]
    columns = ("mean", *distances, *(f"difference to {head}" for head in heads))
    return Table("Method", (("", len(columns)),), columns, tuple(rows))


def _difference(wide: pd.DataFrame, pair: Pair) -> Cell:
    """Return the difference, with its interval if there are several folds.

    The cell is empty if the method is one of the opponents, or if an opponent was not run.
    """
    if pair.method in pair.opponents or not set(pair.opponents) <= set(wide.columns):
        return Cell("")
    folds = differences(wide, pair)["difference"].groupby("fold").mean()
    text = points(float(folds.mean()))
    if len(folds) > 1:
        text += f" {points_interval(compare(folds).difference)}"
    return Cell(text)


def distances_figure(results: pd.DataFrame) -> Figure:
    """Draw mAP over the style distance: one line per method, one panel per number of sources.

    Args:
        results: as `read_results` returns them.

    Raises:
        UserError: there are more methods than looks.
    """
    looks = _looks(list(results["method"].unique()))
    places = {name: place for place, name in enumerate(results["tests"].unique())}
    panels = list(results.groupby("sources"))
    figure = Figure(figsize=FIGURE_SIZE, layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (num_sources, rows) in zip(all_axes, panels, strict=True):
        for method, cells in rows.groupby("method", sort=False):
            means = 100 * cells.groupby("tests", sort=False)["mAP"].mean()
            axes.plot([places[name] for name in means.index], means, ms=5, **looks[str(method)])
        axes.set_title(f"sources: {num_sources}")
        axes.set_xlabel("style distance of the unseen sites")
    all_axes[0].set_ylabel("unseen mAP, percent")
    all_axes[0].set_xticks(list(places.values()), list(places))
    lines = {line.get_label(): line for axes in all_axes for line in axes.get_lines()}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=5)
    return figure


def _looks(methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the label, colour, marker and dashes of lines; a colour's second line is dashed."""
    looks: dict[str, dict[str, Any]] = {}
    for method, style in styles_for(methods).items():
        num_lines = sum(look["color"] == style.color for look in looks.values())
        if num_lines == len(DASHES):
            raise UserError(
                f"{len(methods)} methods are too many for one figure; choose some with --methods"
            )
        looks[method] = {
            "label": style.label,
            "color": style.color,
            "marker": style.marker,
            "linestyle": DASHES[num_lines],
        }
    return looks
