"""The pictures of rho that a run records at a step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from metabin.rho_summary import NUM_BINS, summarize_rho
from metabin.tracking.drawing import Area, Drawing
from metabin.tracking.rho import ALL_LAYERS

SIZE = (600, 420)  # pixels; the MLflow UI cuts off the bottom of pictures closer to square
MAX_LABELS = 24  # more layer names than this overlap on the heat map
MAX_SHARE = 0.5  # of the channels in a bin: the darkest colour of the heat map
BLUE = "#1f77b4"
RED = "#d62728"
# "Oranges" of ColorBrewer, from light to dark
ORANGES = np.array(
    [
        *((255, 245, 235), (254, 230, 206), (253, 208, 162), (253, 174, 107), (253, 141, 60)),
        *((241, 105, 19), (217, 72, 1), (166, 54, 3), (127, 39, 4)),
    ]
)


def rho_pictures(values: Mapping[str, np.ndarray], step: int) -> dict[str, np.ndarray]:
    """Draw one step: all layers as a heat map; the first, middle and last layer as histograms.

    Returns: image key -> (height, width, 3) uint8. The keys are the same at every step.
    """
    layers = list(values)
    pictures = {ALL_LAYERS: _heat_map(values, step)}
    # As keys of a dictionary, since a small network may have the same layer in two of these places.
    for layer in dict.fromkeys((layers[0], layers[len(layers) // 2], layers[-1])):
        pictures[f"rho/{layer}"] = _histogram(layer, values[layer], step)
    return pictures


def _heat_map(values: Mapping[str, np.ndarray], step: int) -> np.ndarray:
    names = short_names(list(values))
    size = 12
    longest = max(map(len, names)) * size * 0.6
    area = Area(left=54, top=42, right=512, bottom=round(SIZE[1] - min(210, 22 + longest)))
    drawing = Drawing(*SIZE)
    drawing.text(f"rho by depth, step {step} (blue: mean)", (300, 20), 23)
    shares = np.stack([_shares(rho) for rho in values.values()], axis=1)
    drawing.grid(area, _orange(shares[::-1]))
    middles = (np.arange(len(names)) + 0.5) / len(names)
    heights = [float(rho.mean()) for rho in values.values()]
    means = [(area.x(x), area.y(y)) for x, y in zip(middles, heights, strict=True)]
    drawing.line(means, BLUE, 2)
    drawing.dots(means, BLUE, 4)
    stride = math.ceil(len(names) / MAX_LABELS)
    labels = dict(zip(middles[::stride], names[::stride], strict=True))
    drawing.frame(area, dict.fromkeys(labels, ""), {0: "0", 0.5: "0.5", 1: "1"}, 20)
    for middle, name in labels.items():
        drawing.text(name, (area.x(middle), area.bottom + 8), size, "rm", upwards=True)
    _colour_bar(drawing, area)
    return drawing.pixels()


def _colour_bar(drawing: Drawing, area: Area) -> None:
    """Draw the scale of the heat map on its right."""
    bar = Area(left=520, top=area.top, right=532, bottom=area.bottom)
    drawing.grid(bar, _orange(np.linspace(MAX_SHARE, 0, 64)[:, None]))
    drawing.frame(bar, {}, {}, 0)
    for share in (0, 0.1, 0.2, 0.3, 0.4, 0.5):
        label = f"{share}+" if share == MAX_SHARE else str(share)
        drawing.text(label, (bar.right + 6, bar.y(share / MAX_SHARE)), 13, "lm")
    drawing.text("share of channels", (582, bar.y(0.5)), 13, upwards=True)


def _histogram(layer: str, rho: np.ndarray, step: int) -> np.ndarray:
    # The same axes at every step, so that only the bars move.
    area = Area(left=72, top=80, right=576, bottom=374)
    drawing = Drawing(*SIZE)
    drawing.text(layer, (324, 26), 25)
    drawing.text(f"step {step}, mean {rho.mean():.2f}", (324, 58), 25)
    for index, share in enumerate(_shares(rho)):
        left, right = index / NUM_BINS, (index + 1) / NUM_BINS
        # On a square root scale a bar of 0.05 is visible beside one of 1.
        drawing.bar((area.x(left), area.y(math.sqrt(share))), (area.x(right), area.bottom), BLUE)
    mean = area.x(float(rho.mean()))
    drawing.line([(mean, area.bottom), (mean, area.top)], RED, 3)
    drawing.text("share of channels", (88, 102), 23, "lm")
    y_ticks = {math.sqrt(share): str(share) for share in (0, 0.1, 0.5, 1)}
    drawing.frame(area, {0: "0: instance", 0.5: "0.5", 1: "1: batch"}, y_ticks, 23)
    return drawing.pixels()


def short_names(layers: list[str]) -> list[str]:
    """Return the layer names without their common first parts."""
    paths = [layer.split(".") for layer in layers]
    depth = 0
    while all(len(path) > depth + 1 and path[depth] == paths[0][depth] for path in paths):
        depth += 1
    return [".".join(path[depth:]) for path in paths]


def _shares(rho: np.ndarray) -> np.ndarray:
    """Return the share of the channels in each bin."""
    return summarize_rho(rho).histogram / len(rho)


def _orange(shares: np.ndarray) -> np.ndarray:
    """Return the colours of shares, (rows, columns) -> (rows, columns, 3) uint8."""
    places = np.linspace(0, MAX_SHARE, len(ORANGES))
    channels = [np.interp(shares, places, ORANGES[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
