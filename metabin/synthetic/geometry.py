"""Shapes in 3-D, and the view that they are seen from.

Body frame: x to the person's left, y up, z to the front; 1 unit is about a mean stature, y = 0 the
ground. View frame: x right, y up, z towards the camera.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_FOCUS = 4.5  # distance of the camera in body units; sets how strong the perspective is


class Tube(NamedTuple):
    """An elliptic tube with a straight axis and a radius profile.

    `side` and `depth` are the half-widths (across and front to back) at `knots` along the axis
    (ascending from 0 to 1). `cap` >= 1 flattens the ends: 1 = round, 5 = cut off. `over` is how much
    nearer the surface counts than it is: loose cloth hides the limb that it hangs on.
    """

    part: int
    start: Vector
    end: Vector
    side: Sequence[float]
    depth: Sequence[float]
    knots: Sequence[float] = (0.0, 1.0)
    cap: float = 1.0
    over: float = 0.0


class Ball(NamedTuple):
    """An ellipsoid; the columns of `axes` (3, 3) are its half-axes in the body frame.

    They are orthogonal, and in the order left, up, front.
    """

    part: int
    centre: Vector
    axes: Vector


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera stands.

    Attributes:
        yaw: turn of the person in radians; 0 = seen from the front, pi / 2 = from its right.
        pitch: how far the camera looks down, in radians.
        roll: sideways lean of the image, as a slope.
        scale: pixels a body unit.
        centre: column of the body's axis. base: row of the ground under it.
        rows: the rotation from the body frame to the view frame, row by row.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    centre: float
    base: float
    rows: tuple[tuple[float, float, float], ...] = field(init=False)

    def __post_init__(self) -> None:
        ct, st = math.cos(self.yaw), math.sin(self.yaw)
        cp, sp = math.cos(self.pitch), math.sin(self.pitch)
        rows = ((ct, 0.0, st), (st * sp, cp, -ct * sp), (-st * cp, sp, ct * cp))
        object.__setattr__(self, "rows", rows)

    def project(self, point: Vector) -> tuple[float, float, float, float]:
        """Column, row, nearness (body units towards the camera) and magnification of a body point."""
        x, y, z = point.tolist()
        right, up, near = (row[0] * x + row[1] * y + row[2] * z for row in self.rows)
        magnification = _FOCUS / (_FOCUS - near)
        right, up = right * magnification, up * magnification
        column = self.centre + self.scale * (right + self.roll * up)
        return column, self.base - self.scale * up, near, magnification
