"""Composition of one picture: background, shadows, the lit figure, and sometimes an occluder."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from metabin.synthetic.body_shapes import shapes_of
from metabin.synthetic.camera import Camera
from metabin.synthetic.clothing_textures import cutouts_of
from metabin.synthetic.colour import Pixels
from metabin.synthetic.geometry import View
from metabin.synthetic.identity import Person
from metabin.synthetic.occluders import add_occluder
from metabin.synthetic.pixel_hits import RENDER_HEIGHT, RENDER_WIDTH
from metabin.synthetic.random_streams import chance
from metabin.synthetic.rasteriser import SurfaceBuffer, rasterise
from metabin.synthetic.scene import FAR_EDGE, SCENE_HEIGHT, SCENE_WIDTH
from metabin.synthetic.sites import SiteStyle
from metabin.synthetic.skeleton import random_pose, walking_skeleton
from metabin.synthetic.texture import TEXTURE_SHAPE, low_noise

_YAW_SPREAD = 0.32  # radians
# Body units from the ground to the crown of a person of mean height, with room for hair.
_STATURE = 1.05
_ROWS, _COLUMNS = np.mgrid[0:RENDER_HEIGHT, 0:RENDER_WIDTH].astype(np.float64)


def compose_picture(
    rng: np.random.Generator,
    person: Person,
    atlas: Pixels,
    style: SiteStyle,
    camera: Camera,
) -> Pixels:
    """Return the input of the imaging chain: (RENDER_HEIGHT, RENDER_WIDTH, 3) RGB, about [0, 1].

    Args:
        rng: Random stream of the image.
        person: The identity.
        atlas: Textures of the person, see `clothing_textures.paint_atlas`.
        style: Style of the site.
        camera: One of the site's cameras.
    """
    if person.bag != "none" and chance(rng, 0.08):
        # No bag in this image; the straps stay, because the atlas has them.
        person = replace(person, bag="none")
    view = _view(rng, person, style, camera)
    joints = walking_skeleton(person, random_pose(rng))
    surface = rasterise(shapes_of(person, joints), view, cutouts_of(person))
    picture = _background(rng, camera)
    feet = [view.project(leg.ankle * [1.0, 0.0, 1.0]) for leg in joints.legs.values()]
    _cast_shadow(picture, camera, view, [(column, row) for column, row, _, _ in feet])
    _light(rng, picture, surface, atlas, camera)
    if chance(rng, style.occlusion):
        picture = add_occluder(rng, picture)
    return picture


def _view(rng: np.random.Generator, person: Person, style: SiteStyle, camera: Camera) -> View:
    """Return the camera's view of this person: turn, height and place vary between images.

    A detector crops people to about one size: the height in the image is proportional to
    stature / (0.4 + 0.6 stature), which shows 40 % of the differences in stature.
    """
    pitch = camera.pitch + float(rng.normal(0.0, 0.03))
    fit = camera.fit * float(rng.uniform(0.93, 1.06))
    yaw = camera.yaw + float(rng.normal(0.0, _YAW_SPREAD))
    roll = camera.roll + float(rng.normal(0.0, 0.02))
    scale = RENDER_HEIGHT * fit / (_STATURE * (0.4 + 0.6 * person.height))
    centre = RENDER_WIDTH * (0.5 + float(rng.normal(0.0, style.shift)))
    # base = height * (0.5 + 0.49 fit + deviation - 0.04 sin(pitch))
    deviation = float(rng.normal(0.0, 0.015))
    base = RENDER_HEIGHT * (0.5 + 0.49 * fit + deviation - 0.04 * math.sin(pitch))
    return View(yaw, pitch, roll, scale, centre, base)


def _background(rng: np.random.Generator, camera: Camera) -> Pixels:
    """Cut out a part of one of the camera's scenes; a steeper camera sees more ground."""
    scene = camera.scenes[int(rng.integers(len(camera.scenes)))]
    zoom = float(rng.uniform(0.95, 1.35))
    num_rows = int(RENDER_HEIGHT * zoom)
    num_columns = int(RENDER_WIDTH * zoom)
    # edge = place of the horizon in the image, as a share of its height
    edge = 0.44 - 0.6 * camera.pitch + float(rng.normal(0.0, 0.05))
    lowest_top = SCENE_HEIGHT - num_rows
    top = int(np.clip(FAR_EDGE * SCENE_HEIGHT - edge * num_rows, 0, lowest_top))
    left = int(rng.integers(0, SCENE_WIDTH - num_columns + 1))
    # nearest neighbour: row r of the image is row top + r * num_rows / height of the scene
    rows = top + np.arange(RENDER_HEIGHT) * num_rows // RENDER_HEIGHT
    columns = left + np.arange(RENDER_WIDTH) * num_columns // RENDER_WIDTH
    if chance(rng, 0.5):
        columns = columns[::-1]
    brightness = np.float32(rng.uniform(0.85, 1.15) / 255)
    return scene[rows][:, columns].astype(np.float32) * brightness


def _cast_shadow(
    picture: Pixels,
    camera: Camera,
    view: View,
    feet: list[tuple[float, float]],
) -> None:
    """Darken the ground in place: under each foot, and where the body's shadow falls."""
    # Aspect ratio (rows per column) of a circle on the ground, seen at this pitch.
    flat = 0.16 + 0.5 * math.sin(max(0.05, view.pitch))
    # Patches: column, row, radius in columns, strength.
    patches = [(column, row, 6.0, 0.40) for column, row in feet]
    centre, base = (sum(places) / len(feet) for places in zip(*feet, strict=True))
    strength = 0.42 * min(1.0, camera.light)
    patches.append((centre - 9.0 * camera.light_side, base - 2.0, 19.0, strength))
    for column, row, radius, strength in patches:
        reach = 2.5 * radius * flat + 2.0
        first = max(0, int(row - reach))
        rows = slice(first, max(0, min(RENDER_HEIGHT, int(row + reach) + 1)))
        # picture *= 1 - strength * exp(-(dx / r)^2 - (dy / (r flat + 1))^2)
        away = ((_COLUMNS[rows] - column) / radius) ** 2
        away += ((_ROWS[rows] - row) / (radius * flat + 1.0)) ** 2
        picture[rows] *= (1.0 - strength * np.exp(-away)).astype(np.float32)[..., None]


def _light(
    rng: np.random.Generator,
    picture: Pixels,
    surface: SurfaceBuffer,
    atlas: Pixels,
    camera: Camera,
) -> None:
    """Put the lit figure into the picture, in place: texture x light."""
    num_v, num_u = TEXTURE_SHAPE
    row = np.minimum(surface.v * np.float32(num_v), num_v - 1).astype(np.int32)
    column = (surface.u * np.float32(num_u)).astype(np.int32) % num_u
    texture = atlas[surface.part, row, column]

    # Direction of the lamp: (side, up, near) / |(side, up, near)|
    side = camera.light_side + float(rng.normal(0.0, 0.2))
    up = 0.45
    near = 1.0
    norm = math.sqrt(side * side + up * up + near * near)
    right, above, towards = surface.normal
    # Lambert: lamp = n . l; light = sky (1 + 0.10 n_up) + 0.78 strength max(0, lamp)
    lamp = right * np.float32(side / norm) + above * np.float32(up / norm)
    lamp = lamp + towards * np.float32(near / norm)
    sky = np.float32(1.04 - 0.55 * camera.light) * (1 + np.float32(0.10) * above)
    light = sky + np.float32(0.78 * camera.light) * np.maximum(lamp, np.float32(0))
    # Darker at the outline: 0.84 + 0.16 n_near. Then smooth noise.
    light *= np.float32(0.84) + np.float32(0.16) * towards
    light *= 1 + low_noise(rng, (RENDER_HEIGHT, RENDER_WIDTH), (18, 9), 0.05)[surface.seen]
    picture[surface.seen] = texture * light[:, None]
