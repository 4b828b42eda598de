"""Things between the camera and the person: all stand on the ground, hang from above or enter from an edge.

Occluders are drawn at twice the size on a transparent layer, and laid over the picture with soft edges.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from .colour import Pixels
from .props import Ink, foliage, random_ink, shade
from .raster import DRAW_HEIGHT, DRAW_WIDTH
from .streams import chance

_HEIGHT, _WIDTH = 2 * DRAW_HEIGHT, 2 * DRAW_WIDTH

Occluder = Callable[[np.random.Generator, ImageDraw.ImageDraw], None]


def add_occluder(rng: np.random.Generator, picture: Pixels) -> Pixels:
    """The picture (DRAW_HEIGHT, DRAW_WIDTH, 3) with one random occluder in front of it."""
    layer = Image.new("RGBA", (_WIDTH, _HEIGHT), (0, 0, 0, 0))
    OCCLUDERS[int(rng.integers(len(OCCLUDERS)))](rng, ImageDraw.Draw(layer))
    small = np.asarray(layer.resize((DRAW_WIDTH, DRAW_HEIGHT), Image.Resampling.BOX), np.float32) / 255
    share = small[..., 3:]
    return picture * (1 - share) + small[..., :3] * share


def _upright(rng: np.random.Generator, draw: ImageDraw.ImageDraw, left: float, width: float, foot: float,
             colour: Ink) -> None:  # fmt: skip
    """A cylinder from the top of the image down to its foot, lit from one side, with a base."""
    bright = rng.uniform(0.2, 0.8)
    num_strips = max(4, int(width / 3))
    for strip in range(num_strips):
        x = left + strip * width / num_strips
        light = 1.15 - 0.65 * abs(strip / num_strips - bright)
        draw.rectangle([x, 0, x + width / num_strips + 1, foot], fill=(*shade(colour, light), 255))
    draw.ellipse([left - 0.35 * width, foot - 0.3 * width, left + 1.35 * width, foot + 0.4 * width],
                 fill=(*shade(colour, 0.6), 255))  # fmt: skip
    sleeve = [left - 0.15 * width, foot - width, left + 1.15 * width, foot]
    draw.rectangle(sleeve, fill=(*shade(colour, 0.8), 255))


def _pole(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """A lamp post or a sign post, its foot just before the person's feet or below the image."""
    width = rng.uniform(8.0, 20.0)
    colour = random_ink(rng, (0.0, 1.0), (0.0, 0.4), (0.2, 0.75))
    _upright(rng, draw, float(rng.uniform(0.1, 0.8)) * _WIDTH, width, float(rng.uniform(0.94, 1.10)) * _HEIGHT, colour)


def _wall_edge(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """The corner of a wall or a pillar at the left or the right edge."""
    width = float(rng.uniform(0.14, 0.32)) * _WIDTH
    colour = random_ink(rng, (0.02, 0.62), (0.02, 0.3), (0.25, 0.8))
    left = 0.0 if chance(rng, 0.5) else _WIDTH - width
    draw.rectangle([left, 0, left + width, _HEIGHT], fill=(*colour, 255))
    course = int(rng.integers(18, 34))
    for y in range(int(rng.integers(0, course)), _HEIGHT, course):
        draw.line([(left, y), (left + width, y)], fill=(*shade(colour, 0.82), 255), width=2)
    inner = left + width if left == 0.0 else left
    draw.rectangle([inner - 4, 0, inner + 4, _HEIGHT], fill=(*shade(colour, rng.uniform(0.6, 1.3)), 255))


def _bush(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """A bush that grows from the bottom edge."""
    leaf = random_ink(rng, (0.18, 0.38), (0.25, 0.6), (0.25, 0.5))
    centre, half = float(rng.uniform(0.1, 0.9)) * _WIDTH, float(rng.uniform(0.3, 0.75)) * _WIDTH
    tall = float(rng.uniform(0.16, 0.36)) * _HEIGHT
    _opaque(rng, draw, leaf, [(centre + half * step, _HEIGHT - tall * (0.9 - 0.5 * abs(step)), 0.42 * tall)
                              for step in np.linspace(-1.0, 1.0, 7)], down_to=_HEIGHT)  # fmt: skip


def _leaves(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """A branch that hangs into the image from its top."""
    leaf = random_ink(rng, (0.15, 0.36), (0.3, 0.65), (0.25, 0.55))
    from_left = chance(rng, 0.5)
    reach, low = float(rng.uniform(0.4, 0.9)) * _WIDTH, float(rng.uniform(0.12, 0.30)) * _HEIGHT
    spots = []
    for step in np.linspace(0.0, 1.0, 8):
        x = step * reach if from_left else _WIDTH - step * reach
        spots.append((x, low * (1.0 - step) * rng.uniform(0.5, 1.0), 0.09 * _WIDTH * (1.6 - step)))
    tip = (reach if from_left else _WIDTH - reach, 0.1 * low)
    draw.line([(0.0 if from_left else _WIDTH, 0.4 * low), tip], fill=(74, 58, 44, 255), width=5)
    _opaque(rng, draw, leaf, spots)


def _opaque(rng: np.random.Generator, draw: ImageDraw.ImageDraw, leaf: Ink,
            spots: list[tuple[float, float, float]], down_to: float | None = None) -> None:  # fmt: skip
    """Clumps of leaves at (x, y, radius); with `down_to`, dark leaves fill the space below each."""
    for x, y, radius in spots:
        if down_to is not None:
            draw.rectangle([x - radius, y, x + radius, down_to], fill=(*shade(leaf, 0.55), 255))
    for x, y, radius in spots:
        while True:
            foliage(rng, draw, x, y, radius, leaf, 12)
            y += 1.3 * radius
            if down_to is None or y > down_to + radius:
                break


def _planter(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """A stone planter on the ground with plants in it, or a low wall."""
    stone = random_ink(rng, (0.03, 0.6), (0.02, 0.3), (0.35, 0.8))
    top = _HEIGHT * (1.0 - float(rng.uniform(0.10, 0.20)))
    left = float(rng.uniform(-0.2, 0.4)) * _WIDTH
    right = left + float(rng.uniform(0.6, 1.1)) * _WIDTH
    if chance(rng, 0.75):
        leaf = random_ink(rng, (0.2, 0.38), (0.3, 0.6), (0.3, 0.55))
        spots = [(float(x), top - 8.0, 16.0) for x in np.arange(left + 14, right - 8, 18)]
        _opaque(rng, draw, leaf, spots)
    draw.rectangle([left, top, right, _HEIGHT], fill=(*stone, 255))
    draw.rectangle([left - 4, top, right + 4, top + 9], fill=(*shade(stone, 1.15), 255))
    draw.rectangle([left, top + 9, right, top + 14], fill=(*shade(stone, 0.75), 255))


def _bin(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """A litter bin or a bollard with a lid, its foot at the bottom edge."""
    colour = random_ink(rng, (0.0, 1.0), (0.1, 0.7), (0.2, 0.6))
    width, tall = float(rng.uniform(0.26, 0.42)) * _WIDTH, float(rng.uniform(0.20, 0.34)) * _HEIGHT
    left, top = float(rng.uniform(-0.1, 0.8)) * _WIDTH, _HEIGHT - tall
    for strip in range(12):
        x = left + strip * width / 12.0
        light = 1.15 - 0.07 * abs(strip - 4)
        draw.rectangle([x, top, x + width / 12.0 + 1, _HEIGHT], fill=(*shade(colour, light), 255))
    draw.ellipse([left - 4, top - 0.16 * width, left + width + 4, top + 0.16 * width], fill=(*shade(colour, 0.6), 255))
    draw.ellipse([left + 0.1 * width, top - 0.10 * width, left + 0.9 * width, top + 0.08 * width],
                 fill=(*shade(colour, 0.3), 255))  # fmt: skip
    draw.rectangle([left, top + 0.35 * tall, left + width, top + 0.42 * tall], fill=(*shade(colour, 1.4), 255))


def _railing(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """A railing across the image: hand rail, middle rail, thin bars and posts down to the bottom edge."""
    colour = random_ink(rng, (0.0, 1.0), (0.0, 0.5), (0.2, 0.8))
    top, slope = _HEIGHT * float(rng.uniform(0.60, 0.76)), float(rng.uniform(-12.0, 12.0))
    gap = float(rng.uniform(22.0, 36.0))
    for x in np.arange(float(rng.uniform(0.0, gap)), _WIDTH, gap):
        y = top + slope * x / _WIDTH
        draw.line([(x, y), (x, _HEIGHT)], fill=(*shade(colour, 0.85), 255), width=4)
    post = float(rng.uniform(0.0, 0.9)) * _WIDTH
    draw.rectangle([post, top - 6, post + 10, _HEIGHT], fill=(*shade(colour, 0.75), 255))
    for y, width in ((top, 10), (top + 0.5 * (_HEIGHT - top), 5)):
        draw.line([(0, y), (_WIDTH, y + slope)], fill=(*colour, 255), width=width)
        draw.line([(0, y - width / 3.0), (_WIDTH, y + slope - width / 3.0)], fill=(*shade(colour, 1.35), 255), width=2)


def _passer_by(rng: np.random.Generator, draw: ImageDraw.ImageDraw) -> None:
    """Another pedestrian, nearer to the camera, cut by the left or the right edge."""
    coat = random_ink(rng, (0.0, 1.0), (0.0, 0.6), (0.12, 0.7))
    legs = random_ink(rng, (0.0, 1.0), (0.0, 0.5), (0.1, 0.5))
    skin = random_ink(rng, (0.05, 0.08), (0.3, 0.5), (0.4, 0.95))
    hair = random_ink(rng, (0.04, 0.1), (0.2, 0.6), (0.05, 0.5))
    unit = float(rng.uniform(1.05, 1.30)) * _HEIGHT  # stature in pixels: its feet are below the image
    inside = float(rng.uniform(0.06, 0.16)) * _WIDTH
    x = inside - 0.10 * unit if chance(rng, 0.5) else _WIDTH - inside + 0.10 * unit
    crown = float(rng.uniform(-0.02, 0.12)) * _HEIGHT

    def limb(points: list[tuple[float, float]], radius: float, colour: Ink) -> None:
        places = [(x + dx * unit, crown + dy * unit) for dx, dy in points]
        draw.line(places, fill=(*colour, 255), width=int(2 * radius * unit), joint="curve")
        for px, py in places:
            r = radius * unit
            draw.ellipse([px - r, py - r, px + r, py + r], fill=(*colour, 255))

    stride = float(rng.uniform(-0.10, 0.10))
    limb([(0.03, 0.55), (0.04 + stride, 0.78), (0.03 + 1.4 * stride, 1.1)], 0.055, shade(legs, 0.8))
    limb([(-0.03, 0.55), (-0.04 - stride, 0.78), (-0.03 - 0.8 * stride, 1.1)], 0.055, legs)
    limb([(0.0, 0.16), (0.0, 0.2)], 0.045, shade(skin, 0.85))
    limb([(-0.055, 0.25), (-0.045, 0.52)], 0.065, shade(coat, 0.94))
    limb([(0.055, 0.25), (0.045, 0.52)], 0.065, coat)
    limb([(-0.115, 0.25), (-0.145, 0.40), (-0.13 + 0.5 * stride, 0.53)], 0.038, shade(coat, 0.8))
    limb([(0.115, 0.25), (0.145, 0.40), (0.13 - 0.5 * stride, 0.53)], 0.038, shade(coat, 0.88))
    limb([(0.0, 0.075), (0.0, 0.095)], 0.058, skin)
    limb([(-0.012, 0.055), (0.012, 0.055), (-0.03, 0.085)], 0.056, hair)


OCCLUDERS: tuple[Occluder, ...] = (
    _pole, _wall_edge, _bush, _leaves, _planter, _bin, _railing, _passer_by,
)  # fmt: skip
