"""Occluders between the camera and the person: on the ground, from above, or from an edge.

An occluder is painted at twice the size on a transparent layer, and laid over the picture with soft
edges.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image
from PIL.ImageDraw import Draw, ImageDraw

from metabin.synthetic.colour import Pixels
from metabin.synthetic.pixel_hits import RENDER_HEIGHT, RENDER_WIDTH
from metabin.synthetic.random_streams import chance
from metabin.synthetic.scene_objects import Ink, foliage, random_ink, shade

_HEIGHT = 2 * RENDER_HEIGHT
_WIDTH = 2 * RENDER_WIDTH

Occluder = Callable[[Generator, ImageDraw], None]


def add_occluder(rng: Generator, picture: Pixels) -> Pixels:
    """Return the picture (RENDER_HEIGHT, RENDER_WIDTH, 3) with a random occluder in front of it."""
    layer = Image.new("RGBA", (_WIDTH, _HEIGHT), (0, 0, 0, 0))
    OCCLUDERS[int(rng.integers(len(OCCLUDERS)))](rng, Draw(layer))
    small = layer.resize((RENDER_WIDTH, RENDER_HEIGHT), Image.Resampling.BOX)
    values = np.asarray(small, np.float32) / 255
    # picture (1 - alpha) + layer alpha
    share = values[..., 3:]
    return picture * (1 - share) + values[..., :3] * share


def _opaque(colour: Ink) -> tuple[int, int, int, int]:
    return (*colour, 255)


def _upright(
    rng: Generator,
    draw: ImageDraw,
    left: float,
    width: float,
    foot: float,
    colour: Ink,
) -> None:
    """Paint a cylinder from the top of the image to its foot, lit from one side, with a base."""
    bright = rng.uniform(0.2, 0.8)  # place of the brightest strip, as a share of the width
    num_strips = max(4, int(width / 3))
    for strip in range(num_strips):
        x = left + strip * width / num_strips
        light = 1.15 - 0.65 * abs(strip / num_strips - bright)
        box = [x, 0, x + width / num_strips + 1, foot]
        draw.rectangle(box, fill=_opaque(shade(colour, light)))
    right = left + 1.35 * width
    base = [left - 0.35 * width, foot - 0.3 * width, right, foot + 0.4 * width]
    draw.ellipse(base, fill=_opaque(shade(colour, 0.6)))
    sleeve = [left - 0.15 * width, foot - width, left + 1.15 * width, foot]
    draw.rectangle(sleeve, fill=_opaque(shade(colour, 0.8)))


def _pole(rng: Generator, draw: ImageDraw) -> None:
    """Paint a lamp post or a sign post that ends just before the person's feet or lower."""
    width = rng.uniform(8.0, 20.0)
    colour = random_ink(rng, (0.0, 1.0), (0.0, 0.4), (0.2, 0.75))
    left = float(rng.uniform(0.1, 0.8)) * _WIDTH
    foot = float(rng.uniform(0.94, 1.10)) * _HEIGHT
    _upright(rng, draw, left, width, foot, colour)


def _wall_edge(rng: Generator, draw: ImageDraw) -> None:
    """Paint the corner of a wall or a pillar at the left or the right edge."""
    width = float(rng.uniform(0.14, 0.32)) * _WIDTH
    colour = random_ink(rng, (0.02, 0.62), (0.02, 0.3), (0.25, 0.8))
    left = 0.0 if chance(rng, 0.5) else _WIDTH - width
    draw.rectangle([left, 0, left + width, _HEIGHT], fill=_opaque(colour))
    course = int(rng.integers(18, 34))  # height of a row of bricks
    for y in range(int(rng.integers(0, course)), _HEIGHT, course):
        draw.line([(left, y), (left + width, y)], fill=_opaque(shade(colour, 0.82)), width=2)
    inner = left + width if left == 0.0 else left
    edge = _opaque(shade(colour, rng.uniform(0.6, 1.3)))
    draw.rectangle([inner - 4, 0, inner + 4, _HEIGHT], fill=edge)


def _bush(rng: Generator, draw: ImageDraw) -> None:
    """Paint a bush that grows from the bottom edge."""
    leaf = random_ink(rng, (0.18, 0.38), (0.25, 0.6), (0.25, 0.5))
    centre = float(rng.uniform(0.1, 0.9)) * _WIDTH
    half = float(rng.uniform(0.3, 0.75)) * _WIDTH
    tall = float(rng.uniform(0.16, 0.36)) * _HEIGHT
    # highest in the middle: y = bottom - tall (0.9 - 0.5 |step|), step in [-1, 1]
    spots = [
        (centre + half * step, _HEIGHT - tall * (0.9 - 0.5 * abs(step)), 0.42 * tall)
        for step in np.linspace(-1.0, 1.0, 7)
    ]
    _clumps(rng, draw, leaf, spots, down_to=_HEIGHT)


def _leaves(rng: Generator, draw: ImageDraw) -> None:
    """Paint a branch that hangs into the image from its top."""
    leaf = random_ink(rng, (0.15, 0.36), (0.3, 0.65), (0.25, 0.55))
    from_left = chance(rng, 0.5)
    reach = float(rng.uniform(0.4, 0.9)) * _WIDTH
    low = float(rng.uniform(0.12, 0.30)) * _HEIGHT
    spots = []
    for step in np.linspace(0.0, 1.0, 8):  # thinner towards the tip, at step 1
        x = step * reach if from_left else _WIDTH - step * reach
        y = low * (1.0 - step) * rng.uniform(0.5, 1.0)
        spots.append((x, y, 0.09 * _WIDTH * (1.6 - step)))
    start = (0.0 if from_left else _WIDTH, 0.4 * low)
    tip = (reach if from_left else _WIDTH - reach, 0.1 * low)
    draw.line([start, tip], fill=(74, 58, 44, 255), width=5)
    _clumps(rng, draw, leaf, spots)


def _clumps(
    rng: Generator,
    draw: ImageDraw,
    leaf: Ink,
    spots: list[tuple[float, float, float]],
    down_to: float | None = None,
) -> None:
    """Paint clumps of leaves at (x, y, radius), repeated down to `down_to` where that is given."""
    if down_to is not None:
        dark = _opaque(shade(leaf, 0.55))
        for x, y, radius in spots:
            draw.rectangle([x - radius, y, x + radius, down_to], fill=dark)
    for x, y, radius in spots:
        while True:
            foliage(rng, draw, x, y, radius, leaf, 12)
            y += 1.3 * radius
            if down_to is None or y > down_to + radius:
                break


def _planter(rng: Generator, draw: ImageDraw) -> None:
    """Paint a stone planter on the ground with plants in it, or a low wall."""
    stone = random_ink(rng, (0.03, 0.6), (0.02, 0.3), (0.35, 0.8))
    top = _HEIGHT * (1.0 - float(rng.uniform(0.10, 0.20)))
    left = float(rng.uniform(-0.2, 0.4)) * _WIDTH
    right = left + float(rng.uniform(0.6, 1.1)) * _WIDTH
    if chance(rng, 0.75):
        leaf = random_ink(rng, (0.2, 0.38), (0.3, 0.6), (0.3, 0.55))
        spots = [(float(x), top - 8.0, 16.0) for x in np.arange(left + 14, right - 8, 18)]
        _clumps(rng, draw, leaf, spots)
    rim = _opaque(shade(stone, 1.15))
    shadow = _opaque(shade(stone, 0.75))
    draw.rectangle([left, top, right, _HEIGHT], fill=_opaque(stone))
    draw.rectangle([left - 4, top, right + 4, top + 9], fill=rim)
    draw.rectangle([left, top + 9, right, top + 14], fill=shadow)


def _bin(rng: Generator, draw: ImageDraw) -> None:
    """Paint a litter bin or a bollard with a lid, its foot at the bottom edge."""
    colour = random_ink(rng, (0.0, 1.0), (0.1, 0.7), (0.2, 0.6))
    width = float(rng.uniform(0.26, 0.42)) * _WIDTH
    tall = float(rng.uniform(0.20, 0.34)) * _HEIGHT
    left = float(rng.uniform(-0.1, 0.8)) * _WIDTH
    top = _HEIGHT - tall
    for strip in range(12):  # brightest at strip 4: light = 1.15 - 0.07 |strip - 4|
        x = left + strip * width / 12.0
        light = 1.15 - 0.07 * abs(strip - 4)
        box = [x, top, x + width / 12.0 + 1, _HEIGHT]
        draw.rectangle(box, fill=_opaque(shade(colour, light)))
    lid = [left - 4, top - 0.16 * width, left + width + 4, top + 0.16 * width]
    opening = [left + 0.1 * width, top - 0.10 * width, left + 0.9 * width, top + 0.08 * width]
    band = [left, top + 0.35 * tall, left + width, top + 0.42 * tall]
    draw.ellipse(lid, fill=_opaque(shade(colour, 0.6)))
    draw.ellipse(opening, fill=_opaque(shade(colour, 0.3)))
    draw.rectangle(band, fill=_opaque(shade(colour, 1.4)))


def _railing(rng: Generator, draw: ImageDraw) -> None:
    """Paint a railing across the image: two rails, thin bars and a post down to the bottom edge."""
    colour = random_ink(rng, (0.0, 1.0), (0.0, 0.5), (0.2, 0.8))
    top = _HEIGHT * float(rng.uniform(0.60, 0.76))
    slope = float(rng.uniform(-12.0, 12.0))  # pixels over the width of the image
    gap = float(rng.uniform(22.0, 36.0))
    for x in np.arange(float(rng.uniform(0.0, gap)), _WIDTH, gap):
        y = top + slope * x / _WIDTH
        draw.line([(x, y), (x, _HEIGHT)], fill=_opaque(shade(colour, 0.85)), width=4)
    post = float(rng.uniform(0.0, 0.9)) * _WIDTH
    draw.rectangle([post, top - 6, post + 10, _HEIGHT], fill=_opaque(shade(colour, 0.75)))
    light = _opaque(shade(colour, 1.35))
    for y, width in ((top, 10), (top + 0.5 * (_HEIGHT - top), 5)):
        upper = y - width / 3.0
        draw.line([(0, y), (_WIDTH, y + slope)], fill=_opaque(colour), width=width)
        draw.line([(0, upper), (_WIDTH, y + slope - width / 3.0)], fill=light, width=2)


def _passer_by(rng: Generator, draw: ImageDraw) -> None:
    """Paint another pedestrian, nearer to the camera, cut by the left or the right edge."""
    coat = random_ink(rng, (0.0, 1.0), (0.0, 0.6), (0.12, 0.7))
    legs = random_ink(rng, (0.0, 1.0), (0.0, 0.5), (0.1, 0.5))
    skin = random_ink(rng, (0.05, 0.08), (0.3, 0.5), (0.4, 0.95))
    hair = random_ink(rng, (0.04, 0.1), (0.2, 0.6), (0.05, 0.5))
    unit = float(rng.uniform(1.05, 1.30)) * _HEIGHT  # stature in pixels: feet are below the image
    inside = float(rng.uniform(0.06, 0.16)) * _WIDTH
    x = inside - 0.10 * unit if chance(rng, 0.5) else _WIDTH - inside + 0.10 * unit
    crown = float(rng.uniform(-0.02, 0.12)) * _HEIGHT

    def limb(points: list[tuple[float, float]], radius: float, colour: Ink) -> None:
        # Points in statures from the crown; joints are discs, so that corners are round.
        places = [(x + dx * unit, crown + dy * unit) for dx, dy in points]
        draw.line(places, fill=_opaque(colour), width=int(2 * radius * unit), joint="curve")
        for px, py in places:
            r = radius * unit
            draw.ellipse([px - r, py - r, px + r, py + r], fill=_opaque(colour))

    stride = float(rng.uniform(-0.10, 0.10))
    far_leg = [(0.03, 0.55), (0.04 + stride, 0.78), (0.03 + 1.4 * stride, 1.1)]
    near_leg = [(-0.03, 0.55), (-0.04 - stride, 0.78), (-0.03 - 0.8 * stride, 1.1)]
    left_arm = [(-0.115, 0.25), (-0.145, 0.40), (-0.13 + 0.5 * stride, 0.53)]
    right_arm = [(0.115, 0.25), (0.145, 0.40), (0.13 - 0.5 * stride, 0.53)]
    limb(far_leg, 0.055, shade(legs, 0.8))
    limb(near_leg, 0.055, legs)
    limb([(0.0, 0.16), (0.0, 0.2)], 0.045, shade(skin, 0.85))  # neck
    limb([(-0.055, 0.25), (-0.045, 0.52)], 0.065, shade(coat, 0.94))  # trunk: two halves
    limb([(0.055, 0.25), (0.045, 0.52)], 0.065, coat)
    limb(left_arm, 0.038, shade(coat, 0.8))
    limb(right_arm, 0.038, shade(coat, 0.88))
    limb([(0.0, 0.075), (0.0, 0.095)], 0.058, skin)  # head
    limb([(-0.012, 0.055), (0.012, 0.055), (-0.03, 0.085)], 0.056, hair)


OCCLUDERS: tuple[Occluder, ...] = (
    _pole,
    _wall_edge,
    _bush,
    _leaves,
    _planter,
    _bin,
    _railing,
    _passer_by,
)
