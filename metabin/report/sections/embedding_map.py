"""Section "Map of embeddings": test images in two dimensions, by domain and by person."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from metabin.config.sections import BASELINES
from metabin.report.charts import slug
from metabin.report.inputs import ReportInputs
from metabin.report.plots import clip
from metabin.report.section import Chart, Details, Paragraph, Part, Section
from metabin.report.style import INK, styles_for

TITLE = "Map of embeddings"
MAX_PEOPLE = 12  # in colour
# Okabe and Ito's colours, then Tol's muted ones; a marker for every four, as twelve are many.
COLORS = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"),
    *("#882255", "#999933", "#332288", "#117733", "#AA4499", "#44AA99"),
)
MARKERS = "os^D"
OTHER = "#c9cdd1"
LEGEND: dict[str, Any] = {"fontsize": 8.5, "borderaxespad": 0.2}
EXPLANATION = (
    "A point is a test image. Images with similar embeddings are near each other: t-SNE of the "
    "cosine distance, for a sample of people of each domain. Large distances and directions have "
    "no meaning. Left: groups of one colour mean that embeddings tell domains apart. Right: the "
    "images of one person should form one group."
)


def section(inputs: ReportInputs) -> Section | None:
    """Return the section; None without maps."""
    mapped = set(inputs.embedding_map["fold"]) if not inputs.embedding_map.empty else set()
    folds = [fold for fold in inputs.folds if fold in mapped]
    if not folds:
        return None
    shown = folds[:1] if inputs.is_large else folds  # a large run has no room for each fold
    details = [
        Details(f"{fold}, held out" if inputs.named_by_target else fold, [fold_chart(inputs, fold)])
        for fold in shown
    ]
    details[0] = replace(details[0], is_open=True)
    parts: list[Part] = [Paragraph(EXPLANATION), *details]
    return Section(TITLE, "embedding_map", TITLE, parts, in_text=False)


def fold_chart(inputs: ReportInputs, fold: str) -> Chart:
    """Return the maps of one fold."""
    alt = f"Maps of embeddings of the fold {fold}, coloured by domain and by person."
    draw = partial(maps_figure, inputs, fold)
    return Chart(f"embedding_map_{slug(fold)}", alt, draw)


def maps_figure(inputs: ReportInputs, fold: str) -> Figure:
    """Draw a row per method: its map by domain on the left, by person on the right."""
    rows = inputs.embedding_map[inputs.embedding_map["fold"] == fold]
    # Meta-learned methods first: the baseline below is what they are compared with.
    methods = sorted(rows["method"].unique(), key=lambda name: name in BASELINES)
    styles = styles_for(inputs.rows)
    figure = Figure(figsize=(9.7, 0.5 + max(4.6, 3.7 * len(methods))), layout="constrained")
    panels = figure.subplots(len(methods), 2, squeeze=False)
    for (left, right), method in zip(panels, methods, strict=True):
        of_method = rows[rows["method"] == method]
        domains = draw_domains(left, of_method)
        domain, people = draw_people(right, of_method)
        left.set_title(f"{styles[method].label}: by domain")
        right.set_title(f"{styles[method].label}: people of {clip(domain)}")
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            axes.set_aspect("equal", adjustable="datalim")
    first, last = panels[0][1], panels[-1][1]
    # Outside the panels; an artist stays when the same panel gets a second legend.
    first.add_artist(
        first.legend(handles=domains, loc="upper left", bbox_to_anchor=(1, 1), **LEGEND)
    )
    last.legend(handles=people, loc="lower left", bbox_to_anchor=(1, 0), **LEGEND)
    return figure


def draw_domains(axes: Axes, rows: pd.DataFrame) -> list[PathCollection]:
    """Draw the images of one map by domain, those of unseen domains large. Return the marks."""
    marks = []
    for number, ((role, domain), points) in enumerate(rows.groupby(["role", "domain"], sort=False)):
        is_unseen = role == "unseen"
        marks.append(
            axes.scatter(
                points["x"],
                points["y"],
                s=26 if is_unseen else 12,
                c=COLORS[number % len(COLORS)],
                marker=MARKERS[number // 4 % len(MARKERS)],
                edgecolors=INK if is_unseen else "none",
                linewidths=0.5,
                zorder=3 if is_unseen else 2,
                label=f"{clip(str(domain))}, {role}",
            )
        )
    return marks


def draw_people(axes: Axes, rows: pd.DataFrame) -> tuple[str, list[PathCollection]]:
    """Draw some people of the first unseen domain in colour, and all other images in grey.

    Returns:
        The domain, and the marks.
    """
    domain = rows["domain"].iloc[0]  # the unseen domains come first
    is_domain = rows["domain"] == domain
    people = rows.loc[is_domain, "pid"].unique()[:MAX_PEOPLE]
    is_colored = is_domain & rows["pid"].isin(people)
    others = rows[~is_colored]
    marks = []
    for number, pid in enumerate(people):
        points = rows[is_colored & (rows["pid"] == pid)]
        marks.append(
            axes.scatter(
                points["x"],
                points["y"],
                s=26,
                c=COLORS[number % len(COLORS)],
                marker=MARKERS[number // 3 % len(MARKERS)],
                linewidths=0,
                zorder=3,
                label=f"person {pid}",
            )
        )
    grey = axes.scatter(
        others["x"], others["y"], s=7, c=OTHER, linewidths=0, label="all other images"
    )
    return domain, [*marks, grey]
