"""Objects of a scene: trees, buildings, cars, benches, lamps, passers-by.

Each function paints onto a Pillow drawing. The foot of the object is at (x, y), where y grows as
the object comes nearer; `size` is about the height of a person there, in pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL.ImageDraw import ImageDraw

from metabin.synthetic.colour import Range, ink, rgb
from metabin.synthetic.random_streams import chance

Ink = tuple[int, int, int]
SceneObject = Callable[[Generator, ImageDraw, float, float, float], None]


def shade(colour: Ink, factor: float) -> Ink:
    """Return a colour made darker (< 1) or lighter (> 1)."""
    red, green, blue = (int(min(255, channel * factor)) for channel in colour)
    return red, green, blue


def random_ink(rng: Generator, hue: Range, saturation: Range, value: Range) -> Ink:
    """Return a colour, uniform in ranges of hue, saturation and value."""
    h, s, v = (float(rng.uniform(*span)) for span in (hue, saturation, value))
    return ink(rgb((h, s, v)))


def _shadow(draw: ImageDraw, x: float, y: float, half: float) -> None:
    """Paint a dark patch on the ground; objects are opaque, so it is painted first."""
    draw.ellipse([x - half, y - 0.16 * half, x + half, y + 0.16 * half], fill=(62, 62, 64))


def foliage(
    rng: Generator,
    draw: ImageDraw,
    x: float,
    y: float,
    radius: float,
    leaf: Ink,
    num_clumps: int = 14,
) -> None:
    """Paint a crown or a bush: clumps of leaves, dark ones below and behind, light ones on top."""
    for step in range(num_clumps):
        # uniform in a disc of 0.8 radius, flattened to 80 %: reach = 0.8 r sqrt(uniform)
        angle = rng.uniform(0.0, 2.0 * np.pi)
        reach = radius * np.sqrt(rng.random()) * 0.8
        clump = radius * rng.uniform(0.25, 0.45)
        cx = x + reach * np.cos(angle)
        cy = y + 0.8 * reach * np.sin(angle) - 0.15 * step / num_clumps * radius
        light = 0.60 + 0.55 * step / num_clumps - 0.15 * (cy - y) / radius
        draw.ellipse([cx - clump, cy - clump, cx + clump, cy + clump], fill=shade(leaf, light))


def tree(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a broad-leaved tree, about three times as tall as a person."""
    trunk = (84, 62, 46)
    leaf = random_ink(rng, (0.20, 0.36), (0.35, 0.65), (0.30, 0.60))
    half = 0.07 * size
    height = rng.uniform(1.0, 1.6) * size
    top = y - height
    _shadow(draw, x, y, 0.5 * size)
    outline = [(x - half, y), (x + half, y), (x + 0.6 * half, top), (x - 0.6 * half, top)]
    draw.polygon(outline, fill=trunk)
    draw.line([(x - 0.5 * half, y), (x - 0.3 * half, top)], fill=shade(trunk, 1.4), width=1)
    foliage(rng, draw, x, y - 1.35 * height, 0.75 * size, leaf, 26)


def bare_tree(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a tree without leaves: branches that fork four times."""
    bark = random_ink(rng, (0.05, 0.1), (0.1, 0.3), (0.18, 0.35))
    twigs = [(x, y, -np.pi / 2.0, 0.8 * size, max(2.0, 0.09 * size))]
    for _ in range(5):
        forks = []
        for x0, y0, angle, length, width in twigs:
            x1 = x0 + length * np.cos(angle)
            y1 = y0 + length * np.sin(angle)
            draw.line([(x0, y0), (x1, y1)], fill=bark, width=max(1, round(width)))
            for turn in (-1.0, 1.0):  # each fork is 0.68 times as long and 0.62 times as wide
                direction = angle + turn * rng.uniform(0.25, 0.65)
                forks.append((x1, y1, direction, 0.68 * length, 0.62 * width))
        twigs = forks


def conifer(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a fir with snow on its tiers."""
    needle = random_ink(rng, (0.34, 0.44), (0.2, 0.45), (0.22, 0.4))
    height = rng.uniform(1.8, 2.8) * size
    draw.rectangle([x - 2, y - 0.2 * size, x + 2, y], fill=(70, 55, 45))
    for tier in range(5):  # each tier is 17 % of the height above the last, and narrower
        low = y - (0.1 + 0.17 * tier) * height
        half = (0.30 - 0.05 * tier) * height
        tip = (x, low - 0.30 * height)
        branches = [(x - half, low), (x + half, low), tip]
        snow = [(x - 0.55 * half, low - 0.13 * height), (x + 0.2 * half, low - 0.17 * height), tip]
        draw.polygon(branches, fill=shade(needle, 1.0 + 0.07 * tier))
        draw.polygon(snow, fill=(226, 232, 240))


def hedge(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a row of bushes."""
    leaf = random_ink(rng, (0.22, 0.36), (0.3, 0.6), (0.25, 0.5))
    for step in range(6):
        centre = x + (step - 2.5) * 0.4 * size
        foliage(rng, draw, centre, y - 0.25 * size, 0.35 * size, leaf, 9)


def building(
    rng: Generator, draw: ImageDraw, x: float, y: float, size: float, lit: float = 0.1
) -> None:
    """Paint a facade with rows of windows, a door and a cornice; `lit` = share of lit windows."""
    width = rng.uniform(1.2, 2.6) * size
    height = rng.uniform(2.2, 4.5) * size
    wall = random_ink(rng, (0.02, 0.13), (0.05, 0.45), (0.42, 0.78))
    left = x - width / 2.0
    top = y - height
    draw.rectangle([left, top, left + width, y], fill=wall)
    draw.rectangle([left - 2, top, left + width + 2, top + 3], fill=shade(wall, 0.75))  # cornice
    draw.rectangle([left, y - 0.12 * size, left + width, y], fill=shade(wall, 0.7))  # base
    pane = 0.26 * size
    step_x = pane * rng.uniform(1.6, 2.1)
    step_y = pane * rng.uniform(1.9, 2.4)
    for wx in np.arange(left + 0.4 * pane, left + width - pane, step_x):
        for wy in np.arange(top + 0.6 * pane, y - 0.9 * size, step_y):
            is_lit = chance(rng, lit)
            glass = (250, 214, 140) if is_lit else shade((112, 130, 150), rng.uniform(0.5, 1.2))
            middle = wx + pane / 2.0
            low = wy + 1.5 * pane
            draw.rectangle([wx - 1, wy - 1, wx + pane + 1, low + 1], fill=shade(wall, 1.2))
            draw.rectangle([wx, wy, wx + pane, low], fill=glass)
            draw.line([(middle, wy), (middle, low)], fill=shade(wall, 1.15))
    door = left + rng.uniform(0.2, 0.7) * width
    draw.rectangle([door, y - 0.85 * size, door + 0.4 * size, y], fill=shade(wall, 0.45))


def lit_building(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a facade in the evening."""
    building(rng, draw, x, y, size, lit=0.55)


def shop(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a shop front: sign, bright window with goods on shelves, frame."""
    width = rng.uniform(1.6, 2.6) * size
    height = 1.9 * size
    left = x - width / 2.0
    right = left + width
    top = y - height
    sign = random_ink(rng, (0.0, 1.0), (0.3, 0.9), (0.4, 0.95))
    wall = shade((236, 226, 206), rng.uniform(0.8, 1.05))
    draw.rectangle([left, top, right, y], fill=wall)
    draw.rectangle([left, top, right, top + 0.38 * size], fill=sign)
    for letter in np.arange(left + 0.2 * width, left + 0.8 * width, 0.16 * size):
        box = [letter, top + 0.1 * size, letter + 0.09 * size, top + 0.27 * size]
        draw.rectangle(box, fill=(250, 248, 240))
    glass = (left + 0.08 * width, top + 0.48 * size, left + 0.92 * width, y - 0.10 * size)
    draw.rectangle(glass, fill=shade((220, 208, 178), rng.uniform(0.75, 1.1)))
    for shelf in np.arange(glass[1] + 0.3 * size, glass[3], 0.36 * size):
        draw.line([(glass[0], shelf), (glass[2], shelf)], fill=(150, 136, 116), width=2)
        for item in np.arange(glass[0] + 2, glass[2] - 0.2 * size, 0.24 * size):
            tall = rng.uniform(0.1, 0.26) * size
            goods = random_ink(rng, (0.0, 1.0), (0.2, 0.7), (0.4, 0.95))
            draw.rectangle([item, shelf - tall, item + 0.16 * size, shelf - 1], fill=goods)
    draw.rectangle([left - 3, top, left + 3, y], fill=(190, 176, 150))  # frame


def car(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a parked car from its side."""
    paint = random_ink(rng, (0.0, 1.0), (0.0, 0.8), (0.15, 0.9))
    half = 1.25 * size
    body = 0.42 * size
    _shadow(draw, x, y, 1.1 * half)
    waist = y - body  # lower edge of the windows
    roof = [
        (x - 0.65 * half, waist),
        (x - 0.40 * half, y - 1.85 * body),
        (x + 0.30 * half, y - 1.85 * body),
        (x + 0.62 * half, waist),
    ]
    panes = [
        (x - 0.52 * half, waist),
        (x - 0.36 * half, y - 1.7 * body),
        (x + 0.26 * half, y - 1.7 * body),
        (x + 0.48 * half, waist),
    ]
    pillar = [x - 0.08 * half, y - 1.75 * body, x - 0.03 * half, waist]
    hull = [x - half, y - 1.05 * body, x + half, y - 0.25 * body]
    lamp_glass = [x + 0.93 * half, y - 0.9 * body, x + half, y - 0.65 * body]
    draw.polygon(roof, fill=shade(paint, 0.8))
    draw.polygon(panes, fill=(70, 82, 96))
    draw.rectangle(pillar, fill=shade(paint, 0.8))
    draw.rounded_rectangle(hull, radius=0.25 * body, fill=paint)
    draw.line([(x - half, y - 0.6 * body), (x + half, y - 0.6 * body)], fill=shade(paint, 0.75))
    draw.rectangle(lamp_glass, fill=(250, 240, 190))
    for wheel in (-0.58, 0.58):
        cx = x + wheel * half
        r = 0.36 * body
        hub = [cx - 0.5 * r, y - 1.5 * r, cx + 0.5 * r, y - 0.5 * r]
        draw.ellipse([cx - r, y - 2 * r, cx + r, y], fill=(26, 26, 28))
        draw.ellipse(hub, fill=(150, 150, 152))


def bench(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a bench with a slatted back."""
    wood = random_ink(rng, (0.05, 0.1), (0.3, 0.6), (0.35, 0.6))
    half = 0.6 * size
    _shadow(draw, x, y, half)
    for leg in (-0.8, 0.8):
        centre = x + leg * half
        draw.rectangle([centre - 2, y - 0.28 * size, centre + 2, y], fill=(60, 60, 62))
    for slat in (0.26, 0.36, 0.44):
        box = [x - half, y - (slat + 0.05) * size, x + half, y - slat * size]
        draw.rectangle(box, fill=shade(wood, 0.7 + slat))


def lamp(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a lamp post with a glowing head."""
    iron = random_ink(rng, (0.5, 0.7), (0.0, 0.2), (0.15, 0.45))
    height = 2.6 * size
    draw.rectangle([x - 2, y - height, x + 2, y], fill=iron)
    draw.line([(x - 1, y - height), (x - 1, y)], fill=shade(iron, 1.5))
    draw.rectangle([x - 5, y - 0.12 * size, x + 5, y], fill=iron)
    draw.ellipse([x - 7, y - height - 10, x + 7, y - height + 3], fill=(255, 236, 176))


def column(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a round column, lit from one side, with a base."""
    stone = random_ink(rng, (0.08, 0.6), (0.02, 0.1), (0.5, 0.75))
    half = 0.22 * size
    for strip in range(8):  # brightest at strip 2.5: light = 1.05 - 0.085 |strip - 2.5|
        left = x - half + strip * half / 4.0
        light = 1.05 - 0.085 * abs(strip - 2.5)
        draw.rectangle([left, 0, left + half / 4.0 + 1, y], fill=shade(stone, light))
    base = [x - 1.25 * half, y - 0.12 * size, x + 1.25 * half, y]
    draw.rectangle(base, fill=shade(stone, 0.7))


def poster(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a framed poster or a sign on the wall behind."""
    colour = random_ink(rng, (0.0, 1.0), (0.3, 0.8), (0.4, 0.9))
    half = rng.uniform(0.3, 0.5) * size
    top = y - 1.5 * size
    low = y - 0.5 * size
    title = [x - 0.7 * half, top + 0.12 * size, x + 0.7 * half, top + 0.22 * size]
    picture = [x - 0.4 * half, top + 0.4 * size, x + 0.4 * half, top + 0.7 * size]
    draw.rectangle([x - half - 3, top - 3, x + half + 3, low + 3], fill=(225, 225, 220))
    draw.rectangle([x - half, top, x + half, low], fill=colour)
    draw.rectangle(title, fill=(245, 245, 240))
    draw.ellipse(picture, fill=shade(colour, 0.6))


def plant(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a plant in a pot."""
    pot = random_ink(rng, (0.03, 0.12), (0.1, 0.5), (0.4, 0.8))
    half = 0.2 * size
    _shadow(draw, x, y, 1.2 * half)
    leaf = random_ink(rng, (0.25, 0.38), (0.3, 0.6), (0.3, 0.5))
    foliage(rng, draw, x, y - 0.8 * size, 0.36 * size, leaf, 12)
    top = y - 0.45 * size
    outline = [(x - half, top), (x + half, top), (x + 0.75 * half, y), (x - 0.75 * half, y)]
    rim = [x - 1.1 * half, y - 0.5 * size, x + 1.1 * half, y - 0.42 * size]
    draw.polygon(outline, fill=pot)
    draw.rectangle(rim, fill=shade(pot, 1.15))


def snowbank(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint a heap of cleared snow."""
    for step in range(5):
        cx = x + (step - 2) * 0.5 * size
        r = rng.uniform(0.25, 0.5) * size
        snow = shade((238, 242, 250), 0.9 + 0.02 * step)
        draw.ellipse([cx - 1.6 * r, y - r, cx + 1.6 * r, y + 0.3 * r], fill=snow)


def passer_by(rng: Generator, draw: ImageDraw, x: float, y: float, size: float) -> None:
    """Paint another pedestrian, far away."""
    coat, legs = (random_ink(rng, (0.0, 1.0), (0.0, 0.6), (0.1, 0.7)) for _ in range(2))
    _shadow(draw, x, y, 0.2 * size)
    for side in (-1.0, 1.0):
        foot = x + side * rng.uniform(0.03, 0.14) * size
        leg_width = max(1, round(0.10 * size))
        draw.line([(x, y - 0.5 * size), (foot, y)], fill=legs, width=leg_width)
    trunk = [x - 0.14 * size, y - 0.84 * size, x + 0.14 * size, y - 0.44 * size]
    draw.rounded_rectangle(trunk, 0.08 * size, fill=coat)
    radius = 0.075 * size
    skin = random_ink(rng, (0.05, 0.08), (0.3, 0.5), (0.4, 0.95))
    head = [x - radius, y - size, x + radius, y - size + 2.3 * radius]
    hair = [x - radius, y - size - 1, x + radius, y - size + 2.0 * radius]
    draw.ellipse(head, fill=skin)
    draw.pieslice(hair, 180, 360, fill=(40, 30, 26))
