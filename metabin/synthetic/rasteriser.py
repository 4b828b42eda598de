"""The rasteriser: z-buffers the shapes of a figure into a buffer of surface attributes.

There are two passes. The first finds for each pixel the nearest shape and the hit point in the
shape's own coordinates; the second converts these into u, v and normals, once for all pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metabin.synthetic.ball_hits import hit_ball
from metabin.synthetic.geometry import Ball, Shape, Tube, View
from metabin.synthetic.pixel_hits import Hits
from metabin.synthetic.surface_coordinates import (
    Cutout,
    Grid,
    around_ball,
    around_tube,
    polar_angle,
)
from metabin.synthetic.tube_hits import hit_tube, tube_turn


@dataclass(frozen=True, slots=True)
class SurfaceBuffer:
    """The visible surface of a figure: a mask, and attributes of its N pixels in row-major order.

    Attributes:
        seen: (RENDER_HEIGHT, RENDER_WIDTH).
        part: (N,) parts.
        u, v: (N,) in [0, 1].
        normal: (3, N) unit vectors in the view frame: right, up, towards the camera.
    """

    seen: NDArray[np.bool_]
    part: NDArray[np.int16]
    u: Grid
    v: Grid
    normal: Grid


def rasterise(shapes: Sequence[Shape], view: View, cutouts: Mapping[int, Cutout]) -> SurfaceBuffer:
    """Rasterise shapes, in any order, into a surface buffer.

    Args:
        shapes: Tubes and balls of the figure.
        view: View of the camera.
        cutouts: For some parts that are balls or upright tubes, (V, U) masks; the surface exists
            only where they are True.
    """
    hits = Hits()
    frames = np.zeros((len(shapes), 9), np.float32)  # three axes of the normal, by local coordinate
    turns = np.zeros(len(shapes), np.float32)  # u of a tube's midline
    for index, shape in enumerate(shapes):
        cutout = cutouts.get(shape.part)
        if isinstance(shape, Tube):
            turns[index] = tube_turn(shape, view)
            frames[index] = hit_tube(hits, index, shape, view, cutout, turns[index])
        else:
            frames[index] = hit_ball(hits, index, shape, view, cutout)
    return _resolve(hits, shapes, frames, turns)


def _resolve(hits: Hits, shapes: Sequence[Shape], frames: Grid, turns: Grid) -> SurfaceBuffer:
    """Return the surface attributes of all pixels that are hit: the second pass."""
    seen = hits.shape >= 0
    index = hits.shape[seen]
    first, second, third = (plane[seen] for plane in hits.local)
    is_ball = np.array([isinstance(shape, Ball) for shape in shapes])[index]
    # ball: u from (front, left), v = arccos(up) / pi; tube: u = turn + arcsin(across), v = t
    u = np.where(is_ball, around_ball(first, third), around_tube(first, turns[index]))
    v = np.where(is_ball, polar_angle(second), third)
    # The third local coordinate of a tube's normal: front = sqrt(1 - across^2 - beyond^2).
    front = np.sqrt(np.maximum(1 - first * first - second * second, np.float32(0)))
    front = np.where(is_ball, third, front)
    # n = first * axis_1 + second * axis_2 + front * axis_3, divided by |n|
    frame = frames[index].T
    normal = first * frame[0:3] + second * frame[3:6] + front * frame[6:9]
    square = normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]
    length = np.sqrt(square + np.float32(1e-12))
    part = np.array([shape.part for shape in shapes], np.int16)[index]
    return SurfaceBuffer(seen, part, u, v, normal / length)
