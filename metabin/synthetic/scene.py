"""Scenes: the backgrounds of a camera.

A scene is a canvas with a far edge (the end of the ground: foot of a wall, horizon), ground in
perspective below it, a backdrop above it, and objects that stand on the ground.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.ImageDraw import Draw, ImageDraw

from metabin.synthetic import scene_objects as objects
from metabin.synthetic.colour import Colour, Pixels, rgb
from metabin.synthetic.scene_objects import SceneObject
from metabin.synthetic.texture import low_noise

SCENE_HEIGHT = 320
SCENE_WIDTH = 240
FAR_EDGE = 0.42
"""Row of the far edge as a share of the canvas's height."""

Plane = NDArray[np.float64]
Ground = Callable[[Generator, Plane, Plane], Plane]
Amounts = tuple[tuple[SceneObject, int, int], ...]  # object, fewest, most


@dataclass(frozen=True, slots=True)
class SceneKind:
    """The recipe of a scene.

    Attributes:
        wall: Colour of the wall, or of the horizon where there is a sky.
        ground: Colour of the ground.
        pattern: Brightness of the ground by its coordinates (x, z).
        sky: Colour of the sky; None indoors.
        behind: Objects at the far edge.
        among: Objects on the ground before it.
    """

    wall: Colour
    ground: Colour
    pattern: Ground
    sky: Colour | None
    behind: Amounts
    among: Amounts


def _slabs(rng: Generator, x: Plane, z: Plane) -> Plane:
    """Return square slabs in two shades."""
    odd = (np.floor(x) + np.floor(z)) % 2.0
    return 1.0 - rng.uniform(0.06, 0.20) * odd - 0.10 * ((x % 1.0 < 0.05) | (z % 1.0 < 0.05))


def _tiles(rng: Generator, x: Plane, z: Plane) -> Plane:
    """Return polished tiles with joints and a broad band."""
    joints = (x % 1.0 < 0.06) | (z % 1.0 < 0.06)
    return 1.0 - 0.14 * joints + 0.06 * (np.abs(x - rng.uniform(-2.0, 2.0)) < 0.8)


def _road(rng: Generator, x: Plane, z: Plane) -> Plane:
    """Return asphalt with a kerb, a gutter and a dashed white line."""
    kerb = rng.uniform(2.2, 3.2)
    dashes = (np.abs(z - kerb - 1.4) < 0.07) & (x % 1.6 < 0.9)
    return 1.0 + 0.25 * (z < kerb) - 0.35 * (np.abs(z - kerb) < 0.07) + 0.8 * dashes


def _platform(rng: Generator, x: Plane, z: Plane) -> Plane:
    """Return concrete with joints and a worn safety line."""
    joints = (x % 1.0 < 0.05) | (z % 1.0 < 0.05)
    return 1.0 - 0.2 * joints + 0.45 * (np.abs(x - rng.uniform(-2.5, 2.5)) < 0.18)


def _grass(rng: Generator, x: Plane, z: Plane) -> Plane:
    """Return a mown lawn: broad stripes that bend."""
    return 1.0 + 0.07 * np.sin(2.0 * x + 0.6 * np.sin(z) + rng.uniform(0.0, 6.0))


def _snow(rng: Generator, x: Plane, z: Plane) -> Plane:
    """Return trodden snow: a darker path with tracks."""
    # path = exp(-((x - x0 - 0.2 sin(z)) / 1.6)^2)
    path = np.exp(-(((x - rng.uniform(-1.0, 1.0) - 0.2 * np.sin(z)) / 1.6) ** 2))
    return 1.0 - 0.16 * path - 0.10 * path * (np.sin(9.0 * x + 2.0 * np.sin(3.0 * z)) > 0.7)


SCENES: dict[str, SceneKind] = {
    "lawn": SceneKind(
        wall=(0.27, 0.35, 0.48),
        ground=(0.25, 0.42, 0.52),
        pattern=_grass,
        sky=(0.56, 0.25, 0.92),
        behind=((objects.building, 0, 2), (objects.tree, 1, 4), (objects.hedge, 0, 2)),
        among=(
            (objects.tree, 0, 1),
            (objects.bench, 0, 1),
            (objects.passer_by, 0, 2),
            (objects.lamp, 0, 1),
        ),
    ),
    "square": SceneKind(
        wall=(0.08, 0.14, 0.72),
        ground=(0.10, 0.14, 0.62),
        pattern=_slabs,
        sky=(0.57, 0.20, 0.85),
        behind=((objects.building, 2, 4), (objects.tree, 0, 2), (objects.column, 0, 2)),
        among=(
            (objects.bench, 0, 2),
            (objects.tree, 0, 1),
            (objects.lamp, 0, 1),
            (objects.passer_by, 0, 3),
            (objects.plant, 0, 1),
        ),
    ),
    "platform": SceneKind(
        wall=(0.55, 0.08, 0.55),
        ground=(0.10, 0.03, 0.46),
        pattern=_platform,
        sky=None,
        behind=((objects.poster, 1, 4), (objects.bench, 0, 2), (objects.column, 0, 1)),
        among=(
            (objects.column, 0, 1),
            (objects.bench, 0, 1),
            (objects.passer_by, 0, 2),
            (objects.poster, 0, 1),
        ),
    ),
    "arcade": SceneKind(
        wall=(0.10, 0.08, 0.88),
        ground=(0.12, 0.10, 0.76),
        pattern=_tiles,
        sky=None,
        behind=((objects.shop, 2, 4), (objects.column, 0, 2)),
        among=((objects.plant, 0, 2), (objects.bench, 0, 1), (objects.passer_by, 0, 3)),
    ),
    "snow": SceneKind(
        wall=(0.58, 0.10, 0.80),
        ground=(0.57, 0.05, 0.92),
        pattern=_snow,
        sky=(0.57, 0.08, 0.90),
        behind=((objects.building, 0, 2), (objects.bare_tree, 0, 3), (objects.conifer, 0, 3)),
        among=(
            (objects.snowbank, 0, 2),
            (objects.bare_tree, 0, 1),
            (objects.passer_by, 0, 2),
            (objects.car, 0, 1),
        ),
    ),
    "street": SceneKind(
        wall=(0.05, 0.35, 0.50),
        ground=(0.60, 0.04, 0.38),
        pattern=_road,
        sky=(0.62, 0.35, 0.30),
        behind=((objects.lit_building, 2, 5), (objects.lamp, 0, 2)),
        among=((objects.car, 0, 2), (objects.lamp, 0, 1), (objects.passer_by, 0, 2)),
    ),
}


def render_scene(rng: Generator, kind: str) -> NDArray[np.uint8]:
    """Render a background: (SCENE_HEIGHT, SCENE_WIDTH, 3) 8-bit RGB.

    Args:
        rng: Random generator.
        kind: A key of `SCENES`.
    """
    recipe = SCENES[kind]
    edge = int(FAR_EDGE * SCENE_HEIGHT)
    canvas = _backdrop(rng, recipe, edge)
    canvas[edge:] = _ground(rng, recipe, edge)
    picture = Image.fromarray((np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8))
    _place_objects(rng, Draw(picture), recipe, edge)
    soft = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.7, 1.5))))
    # scene * (1 + coarse noise + fine noise)
    shape = (SCENE_HEIGHT, SCENE_WIDTH)
    coarse = 1 + low_noise(rng, shape, (8, 6), 0.08)
    uneven = coarse + low_noise(rng, shape, (160, 120), 0.025)
    lit = np.asarray(soft, np.float32) / 255 * uneven[..., None]
    return (np.clip(lit, 0, 1) * 255).astype(np.uint8)


def _tint(rng: Generator, colour: Colour, gain: float, spread: float) -> Pixels:
    """Return a colour of the recipe, times a factor in 1 +- gain, with a random cast."""
    brightness = rng.uniform(1.0 - gain, 1.0 + gain)
    tinted = rgb(colour) * brightness + rng.normal(0.0, spread, 3)
    return np.clip(tinted, 0.0, 1.0).astype(np.float32)


def _backdrop(rng: Generator, recipe: SceneKind, edge: int) -> Pixels:
    """Return sky that pales towards the horizon, or an indoor wall with panels and a skirting."""
    canvas = np.empty((SCENE_HEIGHT, SCENE_WIDTH, 3), np.float32)
    wall = _tint(rng, recipe.wall, 0.15, 0.025)
    down = np.linspace(0.0, 1.0, edge, dtype=np.float32)[:, None, None]
    if recipe.sky is not None:
        sky = _tint(rng, recipe.sky, 0.1, 0.02)
        # sky (1 - 0.45 d) + (wall + sky) / 2 * 0.45 d, with d = 0 at the top, 1 at the horizon
        canvas[:edge] = sky * (1 - 0.45 * down) + (0.5 * wall + 0.5 * sky) * (0.45 * down)
        return canvas
    canvas[:edge] = wall * (0.85 + 0.2 * down)
    panel = int(rng.integers(26, 50))
    canvas[:edge, ::panel] *= 0.8
    canvas[:edge, 1::panel] *= 1.08
    canvas[edge - int(rng.integers(60, 90)) : edge] *= rng.uniform(0.75, 1.0)
    canvas[edge - 5 : edge] *= 0.6
    return canvas


def _ground(rng: Generator, recipe: SceneKind, edge: int) -> Pixels:
    """Return the ground's pattern in perspective, darker at the far edge."""
    down = (np.arange(edge, SCENE_HEIGHT) + 0.5 - edge)[:, None] / (SCENE_HEIGHT - edge)
    across = (np.arange(SCENE_WIDTH)[None] + 0.5) / SCENE_WIDTH - rng.uniform(0.2, 0.8)
    # perspective: distance = 1 / (d + 0.16), x = across * distance, z = distance, both scaled
    away = 1.0 / (down + 0.16)
    x = across * away * rng.uniform(3.0, 5.0)
    z = away * rng.uniform(2.0, 3.2) + np.zeros_like(x)
    # shading = pattern(x, z) * (1 - 0.25 exp(-d / 0.04))
    shading = recipe.pattern(rng, x, z) * (1.0 - 0.25 * np.exp(-down / 0.04))
    return _tint(rng, recipe.ground, 0.10, 0.012) * shading[..., None].astype(np.float32)


def _place_objects(rng: Generator, draw: ImageDraw, recipe: SceneKind, edge: int) -> None:
    """Place objects at the far edge first, then the others from far to near."""
    for place, fewest, most in recipe.behind:
        for _ in range(int(rng.integers(fewest, most + 1))):
            x = float(rng.uniform(0, SCENE_WIDTH))
            y = edge + float(rng.uniform(0, 5))
            place(rng, draw, x, y, float(rng.uniform(34, 48)))
    spots: list[tuple[float, SceneObject]] = []
    for place, fewest, most in recipe.among:
        for _ in range(int(rng.integers(fewest, most + 1))):
            spots.append((float(rng.uniform(0.04, 0.45)), place))
    for depth, place in sorted(spots, key=lambda spot: spot[0]):
        # size = 44 + 80 depth: pixels of a person's height there
        y = edge + depth * (SCENE_HEIGHT - edge)
        place(rng, draw, float(rng.uniform(0, SCENE_WIDTH)), y, 44.0 + 80.0 * depth)
