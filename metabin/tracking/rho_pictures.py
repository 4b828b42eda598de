"""The pictures of rho that a run records at a step, composed for a tile of the MLflow UI."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image

from metabin.rho_summary import NUM_BINS, STEM, layer_groups, summarize_rho
from metabin.tracking.drawing import Area, Drawing, fit, text_width
from metabin.tracking.layer_pages import LayerPage, layer_pages, short_names
from metabin.tracking.step_pictures import SCALE

SECTION = "Rho layers"  # of the page of the UI
WIDTH = 296  # units; one is a CSS pixel of a tile in a window of 1280 pixels
HEIGHT = 172  # what a tile shows below the name of the run and three lines of parameters
MARGIN = 2
HEADER = 18
FOOTER = 13
GAP = 3  # between histograms
MAX_BLOCK = 80  # width of a block's name
LABEL = 10  # size of text
TITLE = 11
MAX_SHARE = 0.5  # of the channels in a bin: the darkest colour of the heat map
BLUE = "#1f77b4"
RED = "#d62728"
GREY = "#8c8c8c"
# "Oranges" of ColorBrewer, from light to dark
ORANGES = np.array(
    [
        *((255, 245, 235), (254, 230, 206), (253, 208, 162), (253, 174, 107), (253, 141, 60)),
        *((241, 105, 19), (217, 72, 1), (166, 54, 3), (127, 39, 4)),
    ]
)


class RhoAtStep:
    """The distribution of rho in every layer at a step.

    Attributes:
        shares: layer name -> share of its channels in each bin, (NUM_BINS,).
        means: layer name -> mean over its channels.
    """

    def __init__(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        # Nothing refers to the values afterwards: in a training they are those of the network.
        summaries = {name: summarize_rho(rho) for name, rho in values.items()}
        self.step = step
        self.shares = {name: item.histogram / len(values[name]) for name, item in summaries.items()}
        self.means = {name: item.mean for name, item in summaries.items()}


def rho_pictures(
    values: Mapping[str, np.ndarray], step: int, start: RhoAtStep | None = None
) -> dict[str, Image.Image]:
    """Draw rho at one step: all layers as a heat map, and a histogram of every layer.

    Args:
        values: layer name -> rho of its channels, (C,), each in [0, 1], in network order.
        start: an earlier step, drawn in grey: outlines in the histograms, means in the heat map.

    Returns:
        Key -> picture for `save_pictures`. The keys and the axes are the same at every step.
    """
    now = RhoAtStep(step, values)
    when = f"step {step} (grey: step {start.step})" if start else f"step {step}"
    pictures = {"all layers": _drawing("all layers", when, "blue: mean")}
    _heat_map(pictures["all layers"], now, start)
    for page in layer_pages(list(values)):
        pictures[page.title] = _drawing(page.title, when, "0 instance, 1 batch")
        _histograms(pictures[page.title], page, now, start)
    # The UI sorts the keys.
    return {
        f"{SECTION}/{place} {title}": drawing.image
        for place, (title, drawing) in enumerate(pictures.items())
    }


def _heat_map(drawing: Drawing, now: RhoAtStep, start: RhoAtStep | None) -> None:
    """Draw the distribution of every layer as a column, and the means as a line."""
    area = Area(left=54, top=HEADER + 4, right=252, bottom=HEIGHT - FOOTER - 4)
    cells = np.stack(list(now.shares.values()), axis=1)  # (bins, layers)
    drawing.grid(area, _orange(cells[::-1]))
    if start:
        drawing.line(_mean_points(area, start), GREY)
    drawing.line(_mean_points(area, now), BLUE)
    drawing.dots(_mean_points(area, now), BLUE, 1.5)
    for place, label, anchor in ((0, "0 instance", "rb"), (0.5, "0.5", "rm"), (1, "1 batch", "rt")):
        drawing.text(label, (area.left - 3, area.y(place)), LABEL, anchor)
    _group_labels(drawing, area, list(now.shares))
    bar = Area(left=259, top=area.top, right=268, bottom=area.bottom)
    drawing.grid(bar, _orange(np.linspace(MAX_SHARE, 0, 64)[:, None]))
    for place, label in ((0, "0"), (1, f"{MAX_SHARE}+")):
        drawing.text(label, (bar.right + 3, bar.y(place)), LABEL, "lm")
    drawing.text("channels", (WIDTH - MARGIN, bar.bottom + 4), LABEL, "rt")


def _mean_points(area: Area, rho: RhoAtStep) -> list[tuple[float, float]]:
    middles = (np.arange(len(rho.means)) + 0.5) / len(rho.means)
    means = rho.means.values()
    return [(area.x(x), area.y(y)) for x, y in zip(middles, means, strict=True)]


def _group_labels(drawing: Drawing, area: Area, names: list[str]) -> None:
    """Mark where each group of layers begins, with the first part of its first layer's name."""
    labels = short_names(names)
    end = 0
    for group, layers in layer_groups(names).items():
        left = area.x(end / len(names))
        end += len(layers)
        right = area.x(end / len(names))
        drawing.line([(left, area.top), (left, area.bottom + 3)], GREY, 0.5)
        if group == STEM:  # narrow: its label begins outside of the area
            drawing.text(STEM, (right - 2, area.bottom + 4), LABEL, "rt")
        else:
            label = fit(labels[layers[0]].partition(".")[0], LABEL, right - left)
            drawing.text(label, (left, area.bottom + 4), LABEL, "lt")


def _histograms(drawing: Drawing, page: LayerPage, now: RhoAtStep, start: RhoAtStep | None) -> None:
    """Draw the histograms of a page, one row per block."""
    left = MARGIN + GAP + min(max(text_width(row.block, LABEL) for row in page.rows), MAX_BLOCK)
    columns = max(len(row.layers) for row in page.rows)
    width = (WIDTH - left) / columns
    height = (HEIGHT - HEADER - FOOTER) / len(page.rows)
    bar = int((width - GAP) / NUM_BINS * SCALE) / SCALE  # whole pixels: all bars are as wide
    lefts = [round(left + column * width) for column in range(columns)]
    for index, row in enumerate(page.rows):
        top = HEADER + round(index * height)
        bottom = HEADER + round((index + 1) * height) - GAP / 2
        for x, (label, layer) in zip(lefts, row.layers.items(), strict=False):
            drawing.text(fit(label, LABEL, width - 2), (x, top), LABEL, "lt")
            area = Area(x, top + LABEL, x + NUM_BINS * bar, bottom)
            _histogram(drawing, area, now.shares[layer], now.means[layer])
            if start:
                drawing.line(_outline(area, start.shares[layer]), GREY, 0.5)
        block = fit(row.block, LABEL, MAX_BLOCK)
        drawing.text(block, (left - GAP, (top + LABEL + bottom) / 2), LABEL, "rm")
    for x in lefts:
        drawing.text("0", (x, HEIGHT - MARGIN), LABEL, "ls")
        drawing.text("1", (x + NUM_BINS * bar, HEIGHT - MARGIN), LABEL, "rs")


def _histogram(drawing: Drawing, area: Area, shares: np.ndarray, mean: float) -> None:
    """Draw the bars of a layer, and its mean as a line and a number."""
    bars = [
        Area(
            area.x(place / NUM_BINS), _top(area, share), area.x((place + 1) / NUM_BINS), area.bottom
        )
        for place, share in enumerate(shares)
    ]
    drawing.bars(bars, BLUE)
    drawing.line([(area.left, area.bottom), (area.right, area.bottom)], GREY, 0.5)
    drawing.line([(area.x(mean), area.top), (area.x(mean), area.bottom)], RED)
    # beside the bar of the mean, where there is more room
    side, anchor = (-1, "rt") if mean > 0.5 else (1, "lt")
    drawing.text(f"{mean:.2f}", (area.x(mean + side / NUM_BINS), area.top), LABEL, anchor, RED)


def _outline(area: Area, shares: np.ndarray) -> list[tuple[float, float]]:
    """Return the points of a line around all bars."""
    edges = [area.x(place / NUM_BINS) for place in range(NUM_BINS + 1)]
    points = [(edges[0], area.bottom)]
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        points += [(left, _top(area, share)), (right, _top(area, share))]
    return [*points, (edges[-1], area.bottom)]


def _top(area: Area, share: float) -> float:
    """Return the end of a bar: on a square root scale, 0.05 is visible beside 1."""
    return area.y(math.sqrt(share))


def _drawing(title: str, when: str, legend: str) -> Drawing:
    """Return a drawing with a header: title and step on the left, the legend on the right."""
    drawing = Drawing(WIDTH, HEIGHT, SCALE)
    baseline = HEADER - 4
    drawing.text(legend, (WIDTH - MARGIN, baseline), LABEL, "rs")
    room = WIDTH - text_width(legend, LABEL) - 4 * MARGIN
    short = fit(title, TITLE, room - text_width(f", {when}", TITLE))
    drawing.text(f"{short}, {when}", (MARGIN, baseline), TITLE, "ls")
    return drawing


def _orange(shares: np.ndarray) -> np.ndarray:
    """Return the colours of shares, (rows, columns) -> (rows, columns, 3) uint8."""
    places = np.linspace(0, MAX_SHARE, len(ORANGES))
    channels = [np.interp(shares, places, ORANGES[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
