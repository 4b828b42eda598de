"""The table and the figures of result files (`metabin.results.result_files`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
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
from metabin.report.style import INK, styles_for
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
    rows = []
    for method in methods:
        of_method = means.loc[method]
        scores = [of_method.mean(), *(of_method.loc[name] for name in distances)]
        numbers = [Cell(percent(score["mAP"]), second=percent(score["rank1"])) for score in scores]
        numbers += [_difference(results, Pair(method, names)) for names in opponents]
        rows.append(Row(styles[method].label, tuple(numbers), method))
    heads = [opponents_label(styles, names) for names in opponents]
    columns = ("mean", *distances, *(f"difference to {head}" for head in heads))
    return Table("Method", (("", len(columns)),), columns, tuple(rows))


def _difference(results: pd.DataFrame, pair: Pair) -> Cell:
    """Return the difference, with its interval if there are several folds; "" if there is none."""
    folds = _fold_differences(results, pair)
    if folds is None:
        return Cell("")
    text = points(float(folds.mean()))
    if len(folds) > 1:
        text += f" {points_interval(compare(folds).difference)}"
    return Cell(text)


def _fold_differences(results: pd.DataFrame, pair: Pair) -> pd.Series | None:
    """Return the difference in each fold, as the mean over style distances and seeds.

    There is none if the method is one of the opponents, or if an opponent was not run.
    """
    cells = results.rename(columns={"tests": "test_domain"})
    wide = cells.pivot(index=["fold", "test_domain", "seed"], columns="method", values="mAP")
    if pair.method in pair.opponents or not set(pair.opponents) <= set(wide.columns):
        return None
    return differences(wide, pair)["difference"].groupby("fold").mean()


def differences_figure(results: pd.DataFrame, opponents: Sequence[tuple[str, ...]]) -> Figure:
    """Draw the differences of `evidence_table` as dots, with bars as their intervals.

    There is a row of panels for each number of sources and opponents, with a panel for the mean
    and for each style distance.

    Args:
        results: as `read_results` returns them.
        opponents: as for `evidence_table`.
    """
    distances = list(results["tests"].unique())
    parts = {"mean": distances, **{name: [name] for name in distances}}
    groups = [(*group, names) for group in results.groupby("sources") for names in opponents]
    num_rows = sum(rows["method"].nunique() for _, rows, _ in groups)
    figure = Figure((FIGURE_SIZE[0], 0.9 * len(groups) + 0.24 * num_rows), layout="constrained")
    grid = figure.subplots(len(groups), len(parts), sharex="row", sharey="row", squeeze=False)
    for panels, (num_sources, rows, names) in zip(grid, groups, strict=True):
        for axes, (title, used) in zip(panels, parts.items(), strict=True):
            axes.set_title(f"{num_sources} sources: {title}")
            _draw_differences(axes, rows[rows["tests"].isin(used)], names)
        label = opponents_label(styles_for(names), names)
        panels[len(panels) // 2].set_xlabel(f"difference of unseen mAP to {label}, points")
    return figure


def _draw_differences(axes: Axes, results: pd.DataFrame, names: tuple[str, ...]) -> None:
    """Draw one row per method but the opponents: the difference, and its interval over folds."""
    styles = styles_for([name for name in results["method"].unique() if name not in names])
    axes.axvline(0, color=INK, lw=1, zorder=1)
    for place, (method, style) in enumerate(styles.items()):
        folds = _fold_differences(results, Pair(method, names))
        if folds is None:
            continue
        if len(folds) > 1:
            interval = compare(100 * folds).difference
            axes.plot([interval.low, interval.high], [place] * 2, color=style.color, marker="|")
        axes.plot(100 * folds.mean(), place, color=style.color, marker=style.marker, ms=4.5)
    axes.set_yticks(range(len(styles)), [style.label for style in styles.values()])
    axes.set_ylim(len(styles) - 0.5, -0.5)


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
        axes.set_title(f"{num_sources} sources")
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
