"""Shapes in 3-D, and the view from which they are seen.

Body frame: x to the person's left, y up, z to the front; 1 unit is about a mean stature, y = 0 the
ground. View frame: x right, y up, z towards the camera.
"""

from __future__ import annotations

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
    (ascending from 0 to 1). `cap` >= 1 flattens the ends: 1 = round, 5 = cut off. `depth_bias` is
    added to the nearness in the depth test, in body units: loose cloth hides the limb below it.
    """

    part: int
    start: Vector
    end: Vector
    side: Sequence[float]
    depth: Sequence[float]
    knots: Sequence[float] = (0.0, 1.0)
    cap: float = 1.0
    depth_bias: float = 0.0


class Ball(NamedTuple):
    """An ellipsoid; the columns of `axes` (3, 3) are its half-axes in the body frame.

    They are orthogonal, and in the order left, up, front.
    """

    part: int
    centre: Vector
    axes: Vector


Shape = Tube | Ball


def upright_axes(radius_x: float, radius_y: float, radius_z: float) -> Vector:
    """Return the axes of a ball that stands upright."""
    return np.diag([radius_x, radius_y, radius_z])


def pointing_axes(direction: Vector, along: float, side: float, up: float) -> Vector:
    """Return the axes of a ball whose front axis points along a direction close to the y-z plane.

    Args:
        direction: (3,), of any length.
        along: Radius along the direction.
        side: Radius to the left.
        up: Radius of the axis that is orthogonal to both.
    """
    # front = d / |d|, left = horizontal normal of front, above = front x left
    front = direction / np.sqrt((direction * direction).sum())
    left = np.array([front[2], 0.0, -front[0]])
    left = left / np.sqrt((left * left).sum() + 1e-9)
    above = np.array(
        [
            front[1] * left[2] - front[2] * left[1],
            front[2] * left[0] - front[0] * left[2],
            front[0] * left[1] - front[1] * left[0],
        ]
    )
    return np.stack([left * side, above * up, front * along], axis=1)


@dataclass(frozen=True, slots=True)
class View:
    """Position of the camera relative to a person.

    Attributes:
        yaw: Turn of the person in radians; 0 = seen from the front, pi / 2 = from its right.
        pitch: Angle by which the camera looks down, in radians.
        roll: Sideways lean of the image, as a slope.
        scale: Pixels per body unit.
        centre: Column of the body's axis.
        base: Row of the ground under it.
        rows: The rotation from the body frame to the view frame, row by row.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    centre: float
    base: float
    rows: tuple[tuple[float, float, float], ...] = field(init=False)

    def __post_init__(self) -> None:
        # Turn by yaw:   right = x cos + z sin,  z' = -x sin + z cos
        # Tilt by pitch: up = y cos - z' sin,    near = y sin + z' cos
        cos_yaw = math.cos(self.yaw)
        sin_yaw = math.sin(self.yaw)
        cos_pitch = math.cos(self.pitch)
        sin_pitch = math.sin(self.pitch)
        rows = (
            (cos_yaw, 0.0, sin_yaw),
            (sin_yaw * sin_pitch, cos_pitch, -cos_yaw * sin_pitch),
            (-sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch),
        )
        object.__setattr__(self, "rows", rows)

    def project(self, point: Vector) -> tuple[float, float, float, float]:
        """Project a point (3,) of the body frame.

        Returns:
            Column, row, nearness (body units towards the camera) and magnification.
        """
        x, y, z = point.tolist()
        right, up, near = (row[0] * x + row[1] * y + row[2] * z for row in self.rows)
        # perspective: m = f / (f - near)
        magnification = _FOCUS / (_FOCUS - near)
        right = right * magnification
        up = up * magnification
        # column = centre + scale * (right + roll * up), row = base - scale * up
        column = self.centre + self.scale * (right + self.roll * up)
        return column, self.base - self.scale * up, near, magnification
