"""Section "mAP by pair of cameras": the queries of one camera, the gallery of another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metabin.config.sections import BASELINES
from metabin.registry import METHODS, find_method
from metabin.report.charts import slug
from metabin.report.display import Cell, Row, Table, cell_names, percent
from metabin.report.inputs import ReportInputs
from metabin.report.section import Chart, ChartGrid, DataTable, Heading, Paragraph, Part, Section
from metabin.report.style import INK, MISSING, SEQUENTIAL, styles_for
from metabin.results import tables
from metabin.results.camera_pairs import PAIR, camera_matrix, cameras_of, pair_means

TITLE = "mAP by pair of cameras"
MAX_CAMERAS = 8  # of a heat map; more get a table of the pairs with the lowest mAP
MAX_NARROW = 4  # cameras of heat maps of which two fit side by side
NUM_HARDEST = 10
LIGHT_PART = 0.6  # of the colour scale, so that numbers on it stay readable
Scores = Mapping[str, pd.DataFrame]  # method -> `pair_means`; the first is the one described


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without scores, or if there is no room for each domain."""
    by_cell = scores_by_cell(inputs)
    if inputs.is_large or not by_cell:
        return None
    charts: list[Chart] = []
    hardest: list[Part] = []
    for name, scores in by_cell.items():
        if count_cameras(scores) <= MAX_CAMERAS:
            alt = f"mAP in {name} by the camera of the query and that of the gallery."
            draw = partial(matrices_figure, inputs, scores)
            charts.append(Chart(f"camera_pairs_{slug(name)}", alt, draw, title=name))
        else:
            caption = f"{name}: the {NUM_HARDEST} pairs of cameras with the lowest mAP"
            hardest += [Heading(caption), DataTable(hardest_table(inputs, scores), caption)]
    is_narrow = max(map(count_cameras, by_cell.values())) <= MAX_NARROW
    parts: list[Part] = [
        Paragraph(explanation(inputs, by_cell)),
        *([ChartGrid(charts, wide=True)] if charts and is_narrow else charts),
        DataTable(extremes_table(inputs, by_cell), "Hardest and easiest pair of cameras"),
        *hardest,
    ]
    return Section(TITLE, "camera_pairs", "Camera pairs", parts)


def scores_by_cell(inputs: ReportInputs) -> dict[str, Scores]:
    """Return {unseen cell: scores of the compared methods} for the cells where all have some."""
    if inputs.camera_pairs.empty:
        return {}
    methods = compared_methods(inputs)
    by_cell = {
        name: {method: pair_means(inputs.camera_pairs, cell, method) for method in methods}
        for name, cell in zip(cell_names(inputs.unseen), inputs.unseen, strict=True)
    }
    return {
        name: scores
        for name, scores in by_cell.items()
        if not any(table.empty for table in scores.values())
    }


def compared_methods(inputs: ReportInputs) -> tuple[str, ...]:
    """Return the first meta-learned method and a baseline, of those with scores.

    The baseline is the reference of the report, else the first that learns rho, else the first.
    Where all methods are variants of baselines, the first of them is shown alone.
    """
    scored = set(inputs.camera_pairs["method"])
    names = [name for name in inputs.trained if name in scored]
    meta_learned = [name for name in names if inputs.bases.get(name, name) not in BASELINES]
    baselines = [name for name in names if name in BASELINES]
    references = [name for name in baselines if name == tables.REFERENCE_METHOD]
    learned = [name for name in baselines if name in METHODS and find_method(name).learns_rho]
    compared = (*meta_learned[:1], *(references or learned or baselines)[:1])
    return compared or tuple(names[:1])


def explanation(inputs: ReportInputs, by_cell: Mapping[str, Scores]) -> str:
    """Return the meaning of the cells, and the hardest pair of all domains."""
    method = compared_methods(inputs)[0]
    name = min(by_cell, key=lambda cell: by_cell[cell][method]["mAP"].min())
    pair = _pairs_by_score(by_cell[name][method])[0]
    seeds = ", means over seeds" if inputs.num_seeds > 1 else ""
    return (
        f"Percent{seeds}. The queries are those of one camera, the gallery holds the images of "
        "another camera alone. A query has fewer matches and fewer other images there than in the "
        "whole gallery, so levels differ from those of the results. The colours of a domain go "
        "from its lowest to its highest number. The hardest pair of "
        f"{styles_for(inputs.rows)[method].label} is {_pair_text(pair)} of {name}, queries of "
        f"camera {pair['query_camid']:.0f} in the gallery of camera {pair['gallery_camid']:.0f}, "
        f"with {percent(pair['mAP'])}."
    )


def extremes_table(inputs: ReportInputs, by_cell: Mapping[str, Scores]) -> Table:
    """Return held-out domains by the pairs with the lowest and the highest mAP.

    The pairs are those of the first compared method.
    """
    methods = compared_methods(inputs)
    labels = [styles_for(inputs.rows)[method].label for method in methods]
    rows = []
    for name, scores in by_cell.items():
        pairs = _pairs_by_score(scores[methods[0]])
        cells = []
        for pair in (pairs[0], pairs[-1]):
            cells.append(Cell(_pair_text(pair)))
            cells += [Cell(percent(_score(scores[method], pair, "mAP"))) for method in methods]
        rows.append(Row(name, tuple(cells)))
    heads = ("cameras", *labels)
    groups = (f"Hardest pair of {labels[0]}: mAP", f"Easiest pair of {labels[0]}: mAP")
    return Table(
        corner="Held out",
        groups=tuple((group, len(heads)) for group in groups),
        columns=(*heads, *heads),
        rows=tuple(rows),
    )


def hardest_table(inputs: ReportInputs, scores: Scores) -> Table:
    """Return the pairs with the lowest mAP of the first compared method, the lowest first."""
    styles = styles_for(inputs.rows)
    rows = []
    for pair in _pairs_by_score(next(iter(scores.values())))[:NUM_HARDEST]:
        cells = [Cell(f"{pair['num_query']:,.0f}")]
        for table in scores.values():
            cells += [Cell(percent(_score(table, pair, metric))) for metric in ("mAP", "rank1")]
        rows.append(Row(_pair_text(pair), tuple(cells)))
    return Table(
        corner="Cameras",
        groups=(("Test", 1), *((styles[method].label, 2) for method in scores)),
        columns=("queries", *(("mAP", "rank-1") * len(scores))),
        rows=tuple(rows),
    )


def count_cameras(scores: Scores) -> int:
    """Return the number of cameras, which is the same for all methods."""
    return len(cameras_of(next(iter(scores.values()))))


def matrices_figure(inputs: ReportInputs, scores: Scores) -> Figure:
    """Draw the mAP of each method, cameras by cameras, in percent."""
    values = pd.concat([table["mAP"] for table in scores.values()])
    limits = (float(values.min()), float(values.max()))
    styles = styles_for(inputs.rows)
    side = 0.46 * max(3, count_cameras(scores))  # inches
    size = (0.5 + len(scores) * (side + 0.25), 0.85 + side)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, (method, table) in zip(panels, scores.items(), strict=True):
        _paint(axes, camera_matrix(table), limits)
        axes.set_title(styles[method].label)
        axes.set_xlabel("camera of the gallery")
    panels[0].set_ylabel("camera of the query")
    return figure


def _paint(axes: Axes, matrix: pd.DataFrame, limits: tuple[float, float]) -> None:
    values = matrix.to_numpy(float)
    low, high = limits
    top = low + max(high - low, 0.1) / LIGHT_PART
    colors = SEQUENTIAL.with_extremes(bad=MISSING)
    axes.imshow(np.ma.masked_invalid(values), cmap=colors, vmin=low, vmax=top)
    for (row, column), value in np.ndenumerate(values):
        if not math.isnan(value):
            axes.text(column, row, percent(value), ha="center", va="center", color=INK, size=8)
    axes.set_xticks(range(len(values)), list(map(str, matrix.columns)), color=INK)
    axes.set_yticks(range(len(values)), list(map(str, matrix.index)), color=INK)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _pairs_by_score(table: pd.DataFrame) -> Sequence[Mapping[Any, float]]:
    """Return the rows of `pair_means`, the lowest mAP first."""
    return table.sort_values("mAP", kind="stable").to_dict("records")


def _score(table: pd.DataFrame, pair: Mapping[Any, float], metric: str) -> float:
    """Return the score of a pair of cameras; NaN without one."""
    scores: pd.Series = table.set_index(PAIR)[metric]
    return float(scores.get((pair["query_camid"], pair["gallery_camid"]), math.nan))


def _pair_text(pair: Mapping[Any, float]) -> str:
    return f"{pair['query_camid']:.0f} to {pair['gallery_camid']:.0f}"
