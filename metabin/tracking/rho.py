"""The metrics and the pictures of rho that a run records at a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from metabin.rho_summary import NUM_BINS, summarize_rho

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

ALL_LAYERS = "rho/all layers"
SIZE = (6, 4.2)  # inches at 100 dpi; the MLflow UI cuts off the bottom of pictures closer to square
MAX_LABELS = 24  # more layer names than this overlap on the heat map


def rho_metrics(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the metrics of one step.

    Per layer the mean and the 10 % and 90 % quantiles; over all channels the mean and the share
    below 0.5.

    Args:
        values: layer name -> rho of its channels, (C,), each in [0, 1].
    """
    import numpy as np

    metrics: dict[str, float] = {}
    for layer, rho in values.items():
        summary = summarize_rho(rho)
        metrics[f"rho.{layer}/mean"] = summary.mean
        metrics[f"rho.{layer}/q10"] = summary.q10
        metrics[f"rho.{layer}/q90"] = summary.q90
    channels = np.concatenate(list(values.values()))
    metrics["rho/all_mean"] = float(channels.mean())
    metrics["rho/frac_below_half"] = float((channels < 0.5).mean())
    return metrics


def rho_pictures(values: Mapping[str, np.ndarray], step: int) -> dict[str, np.ndarray]:
    """Plot one step: all layers as a heat map; the first, middle and last layer as histograms.

    Returns: image key -> (height, width, 3) uint8. The keys are the same at every step.
    """
    layers = list(values)
    pictures = {ALL_LAYERS: _render(_heat_map(values, step))}
    # As keys of a dictionary, since a small network may have the same layer in two of these places.
    for layer in dict.fromkeys((layers[0], layers[len(layers) // 2], layers[-1])):
        pictures[f"rho/{layer}"] = _render(_histogram(layer, values[layer], step))
    return pictures


def _heat_map(values: Mapping[str, np.ndarray], step: int) -> Figure:
    import numpy as np
    from matplotlib.figure import Figure

    names = short_names(list(values))
    shares = np.stack([_shares(rho) for rho in values.values()], axis=1)
    figure = Figure(figsize=SIZE, dpi=100)
    bottom = min(0.5, 0.05 + 0.02 * max(map(len, names)))
    figure.subplots_adjust(left=0.09, right=1.0, bottom=bottom, top=0.9)
    axes = figure.add_subplot()
    image = axes.imshow(
        shares,
        cmap="Oranges",
        vmin=0,
        vmax=0.5,
        aspect="auto",
        origin="lower",
        extent=(0, len(names), 0, 1),
    )
    columns = np.arange(len(names)) + 0.5
    means = [rho.mean() for rho in values.values()]
    axes.plot(columns, means, "o-", color="tab:blue", markersize=5)
    stride = math.ceil(len(names) / MAX_LABELS)
    axes.set_xticks(columns[::stride], names[::stride], fontsize=10, rotation=90)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=16)
    axes.set_title(f"rho by depth, step {step} (blue: mean)", fontsize=18)
    figure.colorbar(image, pad=0.01, extend="max", label="share of channels")
    return figure


def _histogram(layer: str, rho: np.ndarray, step: int) -> Figure:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=100)
    figure.subplots_adjust(left=0.12, right=0.96, bottom=0.11, top=0.81)
    axes = figure.add_subplot()
    edges = np.linspace(0, 1, NUM_BINS + 1)
    axes.bar(edges[:-1], _shares(rho), width=1 / NUM_BINS, align="edge", color="tab:blue")
    axes.axvline(float(rho.mean()), color="tab:red", linewidth=3)
    # On a square root scale a bar of 0.05 is visible beside one of 1.
    axes.set_yscale("function", functions=(np.sqrt, np.square))
    axes.set(xlim=(0, 1), ylim=(0, 1))  # the same at every step, so that only the bars move
    axes.set_xticks([0, 0.5, 1], ["0: instance", "0.5", "1: batch"], fontsize=18)
    for label, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.set_yticks([0, 0.1, 0.5, 1], ["0", "0.1", "0.5", "1"], fontsize=18)
    axes.text(0.03, 0.8, "share of channels", fontsize=18)
    axes.set_title(f"{layer}\nstep {step}, mean {rho.mean():.2f}", fontsize=20)
    return figure


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


def _render(figure: Figure) -> np.ndarray:
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
