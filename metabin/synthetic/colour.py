"""Colours of people and cloth. A `Colour` is (hue, saturation, value), each in [0, 1]."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
Pixels = NDArray[np.floating]
"""Colours as RGB in [0, 1] along the last axis; arrays of pixels are float32."""

SKIN_TONES: tuple[Colour, ...] = (
    (0.07, 0.21, 0.98),
    (0.07, 0.31, 0.95),
    (0.07, 0.38, 0.88),
    (0.07, 0.45, 0.78),
    (0.06, 0.49, 0.63),
    (0.06, 0.51, 0.47),
    (0.06, 0.50, 0.34),
)

HAIR_COLOURS: tuple[tuple[Colour, float], ...] = (  # (colour, weight)
    ((0.00, 0.14, 0.07), 0.28),
    ((0.06, 0.50, 0.17), 0.24),
    ((0.07, 0.63, 0.30), 0.16),
    ((0.08, 0.62, 0.48), 0.10),
    ((0.10, 0.49, 0.78), 0.08),
    ((0.05, 0.78, 0.55), 0.05),
    ((0.00, 0.00, 0.60), 0.06),
    ((0.09, 0.02, 0.85), 0.03),
)

Range = tuple[float, float]

PALETTES: dict[str, tuple[tuple[float, Range, Range, Range], ...]] = {
    # rows: (weight, hue range, saturation range, value range)
    "bright": (
        (4, (0.0, 1.0), (0.55, 0.95), (0.55, 0.95)),
        (2, (0.0, 1.0), (0.05, 0.25), (0.85, 1.0)),
        (1, (0.0, 1.0), (0.0, 0.1), (0.05, 0.25)),
    ),
    "dark": (
        (5, (0.0, 1.0), (0.0, 0.25), (0.06, 0.25)),
        (3, (0.55, 0.68), (0.3, 0.7), (0.12, 0.35)),
        (2, (0.0, 1.0), (0.3, 0.8), (0.2, 0.5)),
        (1, (0.07, 0.12), (0.2, 0.5), (0.4, 0.7)),
    ),
    "office": (
        (4, (0.55, 0.66), (0.0, 0.25), (0.85, 1.0)),
        (4, (0.58, 0.66), (0.1, 0.5), (0.10, 0.30)),
        (2, (0.0, 1.0), (0.0, 0.08), (0.35, 0.65)),
        (1, (0.0, 1.0), (0.3, 0.7), (0.4, 0.8)),
    ),
    "casual": (
        (3, (0.0, 1.0), (0.25, 0.7), (0.3, 0.85)),
        (2, (0.0, 1.0), (0.0, 0.12), (0.1, 0.95)),
        (2, (0.56, 0.66), (0.3, 0.7), (0.25, 0.7)),
        (1, (0.05, 0.15), (0.3, 0.6), (0.4, 0.8)),
    ),
    "pastel": (
        (5, (0.0, 1.0), (0.15, 0.4), (0.75, 1.0)),
        (2, (0.0, 1.0), (0.0, 0.08), (0.7, 1.0)),
        (1, (0.0, 1.0), (0.3, 0.6), (0.3, 0.6)),
    ),
    "denim": (
        (5, (0.57, 0.64), (0.25, 0.65), (0.2, 0.65)),
        (3, (0.0, 1.0), (0.0, 0.15), (0.06, 0.25)),
        (2, (0.07, 0.13), (0.2, 0.5), (0.35, 0.75)),
        (1, (0.0, 1.0), (0.2, 0.7), (0.3, 0.8)),
    ),
}


def rgb(colour: Colour) -> Pixels:
    """Return the colour as RGB, shape (3,); hue wraps around, saturation and value are clipped."""
    hue, saturation, value = colour
    channels = colorsys.hsv_to_rgb(hue % 1.0, clip01(saturation), clip01(value))
    return np.array(channels, np.float32)


def ink(colour: Pixels) -> tuple[int, int, int]:
    """Convert RGB in [0, 1] to the 8-bit triple that Pillow takes; clipped."""
    red, green, blue = (int(round(255.0 * clip01(float(channel)))) for channel in colour)
    return red, green, blue


def clip01(value: float) -> float:
    """Return the value clipped to [0, 1]."""
    return min(1.0, max(0.0, value))


def pick_colour(rng: np.random.Generator, palette: str) -> Colour:
    """Return a random colour of a palette: a row by its weight, then uniform in its ranges."""
    rows = PALETTES[palette]
    weights = np.array([row[0] for row in rows], np.float64)
    _, hue, saturation, value = rows[int(rng.choice(len(rows), p=weights / weights.sum()))]
    return float(rng.uniform(*hue)), float(rng.uniform(*saturation)), float(rng.uniform(*value))
