"""One shot: a person in a pose before a camera's scene, lit, shadowed, maybe occluded."""

import math
from dataclasses import replace

import numpy as np

from .body import random_pose, walking_skeleton
from .camera import Camera
from .clothing import cutouts_of
from .colour import Pixels
from .figure import shapes_of
from .geometry import View
from .identity import Person
from .occluder import add_occluder
from .raster import DRAW_HEIGHT, DRAW_WIDTH, GBuffer, draw_figure
from .scene import FAR_EDGE, SCENE_HEIGHT, SCENE_WIDTH
from .sites import SiteStyle
from .streams import chance
from .texture import TEXTURE_SHAPE, low_noise

_YAW_SPREAD = 0.32
_STATURE = 1.05  # body units from the ground to the crown of a person of mean height, with room for hair
_SHADOW_ROWS, _SHADOW_COLUMNS = np.mgrid[0:DRAW_HEIGHT, 0:DRAW_WIDTH].astype(np.float64)


def draw_shot(rng: np.random.Generator, person: Person, atlas: Pixels, style: SiteStyle, camera: Camera) -> Pixels:
    """The picture before the camera's imaging chain: (DRAW_HEIGHT, DRAW_WIDTH, 3) RGB, about [0, 1].

    Args:
        rng: the image's own stream.
        person: who passes. atlas: its textures, see `clothing.draw_atlas`.
        style: the site. camera: one of its cameras.
    """
    if person.bag != "none" and chance(rng, 0.08):
        person = replace(person, bag="none")  # put down for once; its straps are painted on, as a harness
    view = _view(rng, person, style, camera)
    joints = walking_skeleton(person, random_pose(rng))
    buffer = draw_figure(shapes_of(person, joints), view, cutouts_of(person))
    picture = _background(rng, camera)
    feet = [view.project(leg.ankle * [1.0, 0.0, 1.0]) for leg in joints.legs.values()]
    _cast_shadow(picture, camera, view, [(column, row) for column, row, _, _ in feet])
    _light(rng, picture, buffer, atlas, camera)
    if chance(rng, style.occlusion):
        picture = add_occluder(rng, picture)
    return picture


def _view(rng: np.random.Generator, person: Person, style: SiteStyle, camera: Camera) -> View:
    """The camera's view of this person: turn, height and place vary between images.

    A detector cuts people out to one size, so less than half of the differences in stature are seen.
    """
    pitch = camera.pitch + float(rng.normal(0.0, 0.03))
    fit = camera.fit * float(rng.uniform(0.93, 1.06))
    return View(
        yaw=camera.yaw + float(rng.normal(0.0, _YAW_SPREAD)),
        pitch=pitch,
        roll=camera.roll + float(rng.normal(0.0, 0.02)),
        scale=DRAW_HEIGHT * fit / (_STATURE * (0.4 + 0.6 * person.height)),
        centre=DRAW_WIDTH * (0.5 + float(rng.normal(0.0, style.shift))),
        base=DRAW_HEIGHT * (0.5 + 0.49 * fit + float(rng.normal(0.0, 0.015)) - 0.04 * math.sin(pitch)),
    )


def _background(rng: np.random.Generator, camera: Camera) -> Pixels:
    """A cut-out of one of the camera's scenes; the steeper the camera looks down, the more ground."""
    scene = camera.scenes[int(rng.integers(len(camera.scenes)))]
    zoom = float(rng.uniform(0.95, 1.35))
    num_rows, num_columns = int(DRAW_HEIGHT * zoom), int(DRAW_WIDTH * zoom)
    edge = 0.44 - 0.6 * camera.pitch + float(rng.normal(0.0, 0.05))  # where the ground ends in the image
    top = int(np.clip(FAR_EDGE * SCENE_HEIGHT - edge * num_rows, 0, SCENE_HEIGHT - num_rows))
    left = int(rng.integers(0, SCENE_WIDTH - num_columns + 1))
    rows = top + np.arange(DRAW_HEIGHT) * num_rows // DRAW_HEIGHT
    columns = left + np.arange(DRAW_WIDTH) * num_columns // DRAW_WIDTH
    if chance(rng, 0.5):
        columns = columns[::-1]
    return scene[rows][:, columns].astype(np.float32) * np.float32(rng.uniform(0.85, 1.15) / 255)


def _cast_shadow(picture: Pixels, camera: Camera, view: View, feet: list[tuple[float, float]]) -> None:
    """Darkens the ground, in place: contact under each foot, and the body's shadow away from the light."""
    flat = 0.16 + 0.5 * math.sin(max(0.05, view.pitch))  # rows a column of a circle on the ground
    patches = [(column, row, 6.0, 0.40) for column, row in feet]
    centre, base = (sum(places) / len(feet) for places in zip(*feet, strict=True))
    patches.append((centre - 9.0 * camera.light_side, base - 2.0, 19.0, 0.42 * min(1.0, camera.light)))
    for column, row, radius, strength in patches:
        reach = 2.5 * radius * flat + 2.0
        rows = slice(max(0, int(row - reach)), max(0, min(DRAW_HEIGHT, int(row + reach) + 1)))
        away = ((_SHADOW_COLUMNS[rows] - column) / radius) ** 2
        away += ((_SHADOW_ROWS[rows] - row) / (radius * flat + 1.0)) ** 2
        picture[rows] *= (1.0 - strength * np.exp(-away)).astype(np.float32)[..., None]


def _light(rng: np.random.Generator, picture: Pixels, buffer: GBuffer, atlas: Pixels, camera: Camera) -> None:
    """Puts the lit figure into the picture, in place: texture x (sky light + lamp light) x folds."""
    num_v, num_u = TEXTURE_SHAPE
    row = np.minimum(buffer.v * np.float32(num_v), num_v - 1).astype(np.int32)
    column = (buffer.u * np.float32(num_u)).astype(np.int32) % num_u
    texture = atlas[buffer.part, row, column]

    side, up, near = camera.light_side + float(rng.normal(0.0, 0.2)), 0.45, 1.0
    norm = math.sqrt(side * side + up * up + near * near)
    right, above, towards = buffer.normal
    lamp = right * np.float32(side / norm) + above * np.float32(up / norm) + towards * np.float32(near / norm)
    sky = np.float32(1.04 - 0.55 * camera.light) * (1 + np.float32(0.10) * above)
    light = sky + np.float32(0.78 * camera.light) * np.maximum(lamp, np.float32(0))
    light *= np.float32(0.84) + np.float32(0.16) * towards
    light *= 1 + low_noise(rng, (DRAW_HEIGHT, DRAW_WIDTH), (18, 9), 0.05)[buffer.seen]
    picture[buffer.seen] = texture * light[:, None]
