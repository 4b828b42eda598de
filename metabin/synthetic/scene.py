"""Backgrounds: what a camera sees when nobody passes.

A scene is a canvas with a far edge (where the ground ends: a wall's foot, the horizon), ground in
perspective below it, a backdrop above it, and props that stand on the ground.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from . import props
from .colour import Pixels, rgb
from .props import Prop
from .texture import low_noise

SCENE_HEIGHT, SCENE_WIDTH = 320, 240
FAR_EDGE = 0.42
"""Row of the far edge as a share of the canvas's height."""

Ground = Callable[[np.random.Generator, NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class SceneKind:
    """The recipe of a scene: colours (hue, saturation, value), ground pattern, and props.

    `behind` stand at the far edge, `among` on the ground before it; each entry is (prop, fewest, most).
    """

    wall: tuple[float, float, float]
    ground: tuple[float, float, float]
    pattern: Ground
    sky: tuple[float, float, float] | None
    behind: tuple[tuple[Prop, int, int], ...]
    among: tuple[tuple[Prop, int, int], ...]


def _slabs(rng: np.random.Generator, x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square slabs in two shades."""
    odd = (np.floor(x) + np.floor(z)) % 2.0
    return 1.0 - rng.uniform(0.06, 0.20) * odd - 0.10 * ((x % 1.0 < 0.05) | (z % 1.0 < 0.05))


def _tiles(rng: np.random.Generator, x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Polished tiles with joints and a broad band."""
    joints = (x % 1.0 < 0.06) | (z % 1.0 < 0.06)
    return 1.0 - 0.14 * joints + 0.06 * (np.abs(x - rng.uniform(-2.0, 2.0)) < 0.8)


def _road(rng: np.random.Generator, x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Asphalt with a kerb, a gutter and a dashed white line."""
    kerb = rng.uniform(2.2, 3.2)
    dashes = (np.abs(z - kerb - 1.4) < 0.07) & (x % 1.6 < 0.9)
    return 1.0 + 0.25 * (z < kerb) - 0.35 * (np.abs(z - kerb) < 0.07) + 0.8 * dashes


def _platform(rng: np.random.Generator, x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Concrete with joints and a worn safety line."""
    joints = (x % 1.0 < 0.05) | (z % 1.0 < 0.05)
    return 1.0 - 0.2 * joints + 0.45 * (np.abs(x - rng.uniform(-2.5, 2.5)) < 0.18)


def _grass(rng: np.random.Generator, x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """A mown lawn: broad stripes that bend."""
    return 1.0 + 0.07 * np.sin(2.0 * x + 0.6 * np.sin(z) + rng.uniform(0.0, 6.0))


def _snow(rng: np.random.Generator, x: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trodden snow: a darker path with tracks."""
    path = np.exp(-(((x - rng.uniform(-1.0, 1.0) - 0.2 * np.sin(z)) / 1.6) ** 2))
    return 1.0 - 0.16 * path - 0.10 * path * (np.sin(9.0 * x + 2.0 * np.sin(3.0 * z)) > 0.7)


SCENES: dict[str, SceneKind] = {
    "lawn": SceneKind(
        (0.27, 0.35, 0.48), (0.25, 0.42, 0.52), _grass, (0.56, 0.25, 0.92),
        behind=((props.building, 0, 2), (props.tree, 1, 4), (props.hedge, 0, 2)),
        among=((props.tree, 0, 1), (props.bench, 0, 1), (props.passer_by, 0, 2), (props.lamp, 0, 1)),
    ),
    "square": SceneKind(
        (0.08, 0.14, 0.72), (0.10, 0.14, 0.62), _slabs, (0.57, 0.20, 0.85),
        behind=((props.building, 2, 4), (props.tree, 0, 2), (props.column, 0, 2)),
        among=((props.bench, 0, 2), (props.tree, 0, 1), (props.lamp, 0, 1), (props.passer_by, 0, 3),
               (props.plant, 0, 1)),
    ),
    "platform": SceneKind(
        (0.55, 0.08, 0.55), (0.10, 0.03, 0.46), _platform, None,
        behind=((props.poster, 1, 4), (props.bench, 0, 2), (props.column, 0, 1)),
        among=((props.column, 0, 1), (props.bench, 0, 1), (props.passer_by, 0, 2), (props.poster, 0, 1)),
    ),
    "arcade": SceneKind(
        (0.10, 0.08, 0.88), (0.12, 0.10, 0.76), _tiles, None,
        behind=((props.shop, 2, 4), (props.column, 0, 2)),
        among=((props.plant, 0, 2), (props.bench, 0, 1), (props.passer_by, 0, 3)),
    ),
    "snow": SceneKind(
        (0.58, 0.10, 0.80), (0.57, 0.05, 0.92), _snow, (0.57, 0.08, 0.90),
        behind=((props.building, 0, 2), (props.bare_tree, 0, 3), (props.conifer, 0, 3)),
        among=((props.snowbank, 0, 2), (props.bare_tree, 0, 1), (props.passer_by, 0, 2), (props.car, 0, 1)),
    ),
    "street": SceneKind(
        (0.05, 0.35, 0.50), (0.60, 0.04, 0.38), _road, (0.62, 0.35, 0.30),
        behind=((props.lit_building, 2, 5), (props.lamp, 0, 2)),
        among=((props.car, 0, 2), (props.lamp, 0, 1), (props.passer_by, 0, 2)),
    ),
}  # fmt: skip


def draw_scene(rng: np.random.Generator, kind: str) -> NDArray[np.uint8]:
    """A background of a kind (a key of `SCENES`): (SCENE_HEIGHT, SCENE_WIDTH, 3) 8-bit RGB."""
    recipe = SCENES[kind]
    edge = int(FAR_EDGE * SCENE_HEIGHT)
    canvas = _backdrop(rng, recipe, edge)
    canvas[edge:] = _ground(rng, recipe, edge)
    picture = Image.fromarray((np.clip(canvas, 0.0, 1.0) * 255.0).astype(np.uint8))
    _place_props(rng, ImageDraw.Draw(picture), recipe, edge)
    soft = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.7, 1.5))))
    shape = (SCENE_HEIGHT, SCENE_WIDTH)
    uneven = 1 + low_noise(rng, shape, (8, 6), 0.08) + low_noise(rng, shape, (160, 120), 0.025)
    lit = np.asarray(soft, np.float32) / 255 * uneven[..., None]
    return (np.clip(lit, 0, 1) * 255).astype(np.uint8)


def _tint(rng: np.random.Generator, colour: tuple[float, float, float], gain: float, spread: float) -> Pixels:
    """A colour of the recipe, brighter or darker by a factor in 1 +- gain, with a cast of its own."""
    drawn = rgb(colour) * rng.uniform(1.0 - gain, 1.0 + gain) + rng.normal(0.0, spread, 3)
    return np.clip(drawn, 0.0, 1.0).astype(np.float32)


def _backdrop(rng: np.random.Generator, recipe: SceneKind, edge: int) -> Pixels:
    """Sky that pales towards the horizon, or an indoor wall with panels and a skirting."""
    canvas = np.empty((SCENE_HEIGHT, SCENE_WIDTH, 3), np.float32)
    wall = _tint(rng, recipe.wall, 0.15, 0.025)
    down = np.linspace(0.0, 1.0, edge, dtype=np.float32)[:, None, None]
    if recipe.sky is not None:
        sky = _tint(rng, recipe.sky, 0.1, 0.02)
        canvas[:edge] = sky * (1 - 0.45 * down) + (0.5 * wall + 0.5 * sky) * (0.45 * down)
        return canvas
    canvas[:edge] = wall * (0.85 + 0.2 * down)
    panel = int(rng.integers(26, 50))
    canvas[:edge, ::panel] *= 0.8
    canvas[:edge, 1::panel] *= 1.08
    canvas[edge - int(rng.integers(60, 90)) : edge] *= rng.uniform(0.75, 1.0)
    canvas[edge - 5 : edge] *= 0.6
    return canvas


def _ground(rng: np.random.Generator, recipe: SceneKind, edge: int) -> Pixels:
    """The ground's pattern in perspective, darker at the foot of what stands behind."""
    down = (np.arange(edge, SCENE_HEIGHT) + 0.5 - edge)[:, None] / (SCENE_HEIGHT - edge)
    across = (np.arange(SCENE_WIDTH)[None] + 0.5) / SCENE_WIDTH - rng.uniform(0.2, 0.8)
    away = 1.0 / (down + 0.16)
    x = across * away * rng.uniform(3.0, 5.0)
    z = away * rng.uniform(2.0, 3.2) + np.zeros_like(x)
    shading = recipe.pattern(rng, x, z) * (1.0 - 0.25 * np.exp(-down / 0.04))
    return _tint(rng, recipe.ground, 0.10, 0.012) * shading[..., None].astype(np.float32)


def _place_props(rng: np.random.Generator, draw: ImageDraw.ImageDraw, recipe: SceneKind, edge: int) -> None:
    """Props at the far edge first, then the others from far to near."""
    for prop, fewest, most in recipe.behind:
        for _ in range(int(rng.integers(fewest, most + 1))):
            prop(
                rng,
                draw,
                float(rng.uniform(0, SCENE_WIDTH)),
                edge + float(rng.uniform(0, 5)),
                float(rng.uniform(34, 48)),
            )
    spots: list[tuple[float, Prop]] = []
    for prop, fewest, most in recipe.among:
        for _ in range(int(rng.integers(fewest, most + 1))):
            spots.append((float(rng.uniform(0.04, 0.45)), prop))
    for depth, prop in sorted(spots, key=lambda spot: spot[0]):
        y = edge + depth * (SCENE_HEIGHT - edge)
        prop(rng, draw, float(rng.uniform(0, SCENE_WIDTH)), y, 44.0 + 80.0 * depth)
