"""What a run shows of rho: a few numbers per layer, and pictures that the MLflow page steps through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

ALL_LAYERS = "rho/all layers"
NUM_BINS = 20
SIZE = (6, 4.2)  # inches at 100 dpi; the MLflow page cuts off the lower part of anything nearer to a square
MAX_LABELS = 24  # more layer names than this overlap on the heat map


def rho_metrics(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the metrics of one step: per layer mean and deciles, over all channels mean and share below 0.5.

    Args:
        values: layer name -> rho of its channels, (C,), each in [0, 1].
    """
    import numpy as np

    metrics: dict[str, float] = {}
    for layer, rho in values.items():
        low, high = np.quantile(rho, [0.1, 0.9])
        metrics[f"rho.{layer}/mean"] = float(np.mean(rho))
        metrics[f"rho.{layer}/q10"] = float(low)
        metrics[f"rho.{layer}/q90"] = float(high)
    channels = np.concatenate(list(values.values()))
    metrics["rho/all_mean"] = float(channels.mean())
    metrics["rho/frac_below_half"] = float((channels < 0.5).mean())
    return metrics


def rho_pictures(values: Mapping[str, np.ndarray], step: int) -> dict[str, np.ndarray]:
    """Draw one step: all layers as a heat map, and the first, middle and last layer as histograms.

    Returns: image key -> (height, width, 3) uint8. The keys are the same at every step.
    """
    layers = list(values)
    chosen = dict.fromkeys((layers[0], layers[len(layers) // 2], layers[-1]))
    pictures = {ALL_LAYERS: _render(_heat_map(values, step))}
    for layer in chosen:
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
    box = (0, len(names), 0, 1)
    image = axes.imshow(shares, cmap="Oranges", vmin=0, vmax=0.5, aspect="auto", origin="lower", extent=box)
    columns = np.arange(len(names)) + 0.5
    means = [rho.mean() for rho in values.values()]
    axes.plot(columns, means, "o-", color="tab:blue", markersize=5)
    every = -(-len(names) // MAX_LABELS)
    axes.set_xticks(columns[::every], names[::every], fontsize=10, rotation=90)
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
    axes.set_yscale("function", functions=(np.sqrt, np.square))  # a bar of 0.05 stays visible beside one of 1
    axes.set(xlim=(0, 1), ylim=(0, 1))  # the same at every step, so that only the bars move
    axes.set_xticks([0, 0.5, 1], ["0: instance", "0.5", "1: batch"], fontsize=18)
    for label, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.set_yticks([0, 0.1, 0.5, 1], ["0", "0.1", "0.5", "1"], fontsize=18)
    axes.text(0.03, 0.8, "share of channels", fontsize=18)
    axes.set_title(f"{layer}\nstep {step}, mean {rho.mean():.2f}", fontsize=20)
    return figure


def short_names(layers: list[str]) -> list[str]:
    """Return the layer names without the dotted parts that all of them begin with."""
    parts = [layer.split(".") for layer in layers]
    shared = 0
    while all(len(part) > shared + 1 and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return [".".join(part[shared:]) for part in parts]


def _shares(rho: np.ndarray) -> np.ndarray:
    import numpy as np

    counts, _ = np.histogram(np.clip(rho, 0, 1), bins=NUM_BINS, range=(0, 1))
    return counts / max(len(rho), 1)


def _render(figure: Figure) -> np.ndarray:
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
