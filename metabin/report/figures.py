"""Every chart of the report as PNG bytes: the same inputs give the same bytes."""

import io
import re
from collections.abc import Iterator

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from metabin.report import curves, heatmaps, summaries
from metabin.report.inputs import ReportInputs
from metabin.report.sections import comparisons, rho_probe
from metabin.report.style import CHART_RC

DPI = 200
PALETTE_SIZE = 256  # a chart has few colours; a palette makes the page three times smaller


def draw_figures(inputs: ReportInputs) -> dict[str, bytes]:
    """Name (a file name without its suffix) to PNG bytes, in the order of the page."""
    with matplotlib.style.context(CHART_RC, after_reset=True):
        drawn: dict[str, bytes] = {}
        for name, figure in _figures(inputs):
            if name in drawn:
                raise ValueError(f"two figures would be named {name!r}; rename a method, a loss or a domain")
            drawn[name] = png_bytes(figure)
        return drawn


def matrix_name(method: str) -> str:
    """The name of the heat map of a method."""
    return f"matrix_{slug(method)}"


def loss_name(column: str) -> str:
    """The name of the chart of a loss."""
    return f"curve_{slug(column)}"


def histogram_name(method: str) -> str:
    """The name of the heat map of the final rho of a method."""
    return f"rho_final_{slug(method)}"


def slug(text: str) -> str:
    """A safe part of a file name: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG with a palette and no metadata."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    buffer = io.BytesIO()
    image.quantize(PALETTE_SIZE, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _figures(inputs: ReportInputs) -> Iterator[tuple[str, Figure]]:
    yield "unseen_and_seen", summaries.unseen_and_seen(inputs)
    differences = summaries.paired_differences(inputs)
    if differences is not None:
        yield "paired_differences", differences
    if not inputs.rho_probe.empty:
        yield "rho_shifts", rho_probe.shift_figure(inputs)
    if comparisons.block(inputs):
        yield "differences", summaries.differences_with_intervals(inputs)
    if inputs.has_matrix:
        top = heatmaps.shared_maximum(inputs)
        for method in inputs.rows:
            yield matrix_name(method), heatmaps.matrix_heatmap(inputs, method, top)
    for column in curves.loss_columns(inputs.losses):
        yield loss_name(column), curves.loss_curves(inputs, column)
    if not inputs.rho.empty:
        yield "rho_profile", curves.rho_profile(inputs)
        yield "rho_steps", curves.rho_steps(inputs)
    for method in heatmaps.histogram_methods(inputs):
        yield histogram_name(method), heatmaps.rho_histogram(inputs, method)
