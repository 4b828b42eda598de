"""Charts as PNG files: the same figure gives the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from metabin.report.section import Chart
from metabin.report.style import CHART_RC

DPI = 200
PALETTE_SIZE = 256  # a chart has few colours; a palette makes the page three times smaller


def encode_charts(charts: Iterable[Chart]) -> dict[str, bytes]:
    """Draw charts and return {name: PNG}.

    Raises:
        ValueError: two charts have the same name.
    """
    content: dict[str, bytes] = {}
    with matplotlib.style.context(CHART_RC, after_reset=True):
        for chart in charts:
            if chart.name in content:
                raise ValueError(
                    f"two charts have the file name {chart.name!r}; rename a method or a loss"
                )
            content[chart.name] = png_bytes(chart.draw())
    return content


def slug(text: str) -> str:
    """Return a safe part of a file name: letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)


def png_bytes(figure: Figure) -> bytes:
    """Return the figure as a PNG with a palette and without metadata."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # Without the alpha channel, and quantised here: PNG files of matplotlib hold its version.
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    buffer = io.BytesIO()
    palette_image = image.quantize(PALETTE_SIZE, dither=Image.Dither.NONE)
    palette_image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def css_size(png: bytes) -> tuple[int, int]:
    """Return width and height of a chart in CSS pixels, from its PNG header."""
    scale = DPI // 100  # two pixels per CSS pixel: sharp on high-density screens
    # A PNG has width and height as big-endian integers after its signature and chunk header.
    width = int.from_bytes(png[16:20], "big")
    height = int.from_bytes(png[20:24], "big")
    return width // scale, height // scale
