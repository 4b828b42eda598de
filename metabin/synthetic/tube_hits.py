"""Intersection of tubes with the rays of the pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metabin.synthetic.geometry import Tube, View
from metabin.synthetic.pixel_hits import COLUMNS, ROWS, Box, Hits, pixels_within
from metabin.synthetic.surface_coordinates import Cutout, Grid, around_tube, exists

# Number of places along a tube's axis where its radii are interpolated.
_PROFILE_STEPS = 48
_PROFILE_AT = np.linspace(0.0, 1.0, _PROFILE_STEPS)


@dataclass(frozen=True, slots=True)
class _Axis:
    """The axis of a tube in the image.

    Attributes:
        start, end: Column and row of both ends, in pixels.
        x, y: Unit vector of the axis: right, down.
        length: Length in pixels.
        near: Nearness of start and end, in body units.
        zoom: Magnification at start and end.
        lean: Component of the axis towards the camera, in [-1, 1].
        hand: 1 if the axis points down, else -1; keeps the direction of u in limbs that point up.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    x: float
    y: float
    length: float
    near: tuple[float, float]
    zoom: tuple[float, float]
    lean: float
    hand: float


def _project_axis(tube: Tube, view: View) -> _Axis:
    column0, row0, near0, zoom0 = view.project(tube.start)
    column1, row1, near1, zoom1 = view.project(tube.end)
    length = math.hypot(column1 - column0, row1 - row0)
    if length < 1e-3:  # seen end on
        row1 = row0 + 1e-3
        length = 1e-3
    # lean = dz / |(length, dz)|, with dz = difference of nearness in pixels
    lean = (near1 - near0) * view.scale
    lean /= math.hypot(length, lean)
    y = (row1 - row0) / length
    return _Axis(
        start=(column0, row0),
        end=(column1, row1),
        x=(column1 - column0) / length,
        y=y,
        length=length,
        near=(near0, near1),
        zoom=(zoom0, zoom1),
        lean=lean,
        hand=1.0 if y >= 0.0 else -1.0,
    )


def hit_tube(
    hits: Hits,
    index: int,
    tube: Tube,
    view: View,
    cutout: Cutout | None,
    turn: np.float32,
) -> tuple[float, ...]:
    """Intersect a tube with parallel rays: across its axis it is an ellipse, along it a line.

    Returns:
        The normals' axes for (across, beyond, front), flat.
    """
    axis = _project_axis(tube, view)
    width, thickness = _profile(tube, view, axis)
    box = _tube_box(tube, axis, width, thickness)
    if box is not None:
        across, beyond, t, depth = _tube_coordinates(tube, axis, box, width, thickness)
        # inside the ellipse: front^2 = 1 - across^2 - beyond^2 > 0
        front = 1 - across * across - beyond * beyond
        hit = front > 0
        if cutout is not None:
            hit &= exists(cutout, around_tube(across, turn), t)
        # nearness = near_0 + bias + t (near_1 - near_0) + front * depth / scale
        near0, near1 = axis.near
        bulge = np.sqrt(np.maximum(front, np.float32(0))) * depth
        nearness = np.float32(near0 + tube.depth_bias) + t * np.float32(near1 - near0)
        nearness = nearness + bulge * np.float32(1.0 / view.scale)
        hits.write(box, index, hit, nearness, (across, beyond, t))
    return _tube_frame(axis)


def _tube_frame(axis: _Axis) -> tuple[float, ...]:
    """Return the axes (right, up, near) of a tube's normal, flat: across, beyond, front."""
    return (
        # across = (h y, h x, 0)
        axis.hand * axis.y,
        axis.hand * axis.x,
        0.0,
        # beyond = (x, -y, 0): image rows grow downwards
        axis.x,
        -axis.y,
        0.0,
        # front = (-l x, l y, sqrt(1 - l^2))
        -axis.lean * axis.x,
        axis.lean * axis.y,
        math.sqrt(1.0 - axis.lean * axis.lean),
    )


def _tube_box(tube: Tube, axis: _Axis, width: Grid, thickness: Grid) -> Box | None:
    """Return the pixels that a tube may cover: its axis and a margin for sides and ends."""
    over_side = float(width.max())
    cap = float(max(width[0], width[-1])) / tube.cap
    over_end = cap + abs(axis.lean) * float(thickness.max())
    over_x = abs(axis.y) * over_side + abs(axis.x) * over_end + 1.0
    over_y = abs(axis.x) * over_side + abs(axis.y) * over_end + 1.0
    column0, row0 = axis.start
    column1, row1 = axis.end
    return pixels_within(
        min(column0, column1) - over_x,
        max(column0, column1) + over_x,
        min(row0, row1) - over_y,
        max(row0, row1) + over_y,
    )


def _tube_coordinates(
    tube: Tube,
    axis: _Axis,
    box: Box,
    width: Grid,
    thickness: Grid,
) -> tuple[Grid, Grid, Grid, Grid]:
    """Return across, beyond, t and the half-depth in pixels at the pixels of a box.

    across is the sine of the angle from the midline, t the place along the axis in [0, 1], beyond
    the excess over the ends, in radii.
    """
    column, row = axis.start
    right = COLUMNS[box] - np.float32(column)
    down = ROWS[box] - np.float32(row)
    # along = x right + y down, across = h (y right - x down), in pixels
    along = right * np.float32(axis.x) + down * np.float32(axis.y)
    across = right * np.float32(axis.hand * axis.y) - down * np.float32(axis.hand * axis.x)
    # The surface bulges towards the camera, which moves it along the axis when that leans: rings
    # round a body are seen as arcs. A first guess of t gives the radius for the second:
    # along += lean * depth * sqrt(1 - (across / width)^2)
    step = np.float32((_PROFILE_STEPS - 1) / axis.length)
    last = np.float32(_PROFILE_STEPS - 1)
    guess = np.minimum(np.maximum(along * step, 0), last).astype(np.int32)
    ratio = across / width[guess]
    half_chord = np.sqrt(np.maximum(1 - ratio * ratio, np.float32(0)))
    along += np.float32(axis.lean) * thickness[guess] * half_chord
    place = np.minimum(np.maximum(along * step, 0), last)
    at = place.astype(np.int32)
    t = place * (1 / last)
    radius = width[at]
    across /= radius
    # beyond = (along - t length) cap / radius: 0 between the ends
    beyond = (along - t * np.float32(axis.length)) * np.float32(tube.cap) / radius
    return across, beyond, t, thickness[at]


def _profile(tube: Tube, view: View, axis: _Axis) -> tuple[Grid, Grid]:
    """Return half-width across and half-depth along the view, in pixels, (_PROFILE_STEPS,) each."""
    cos_yaw = math.cos(view.yaw)
    sin_yaw = math.sin(view.yaw)
    zoom0, zoom1 = axis.zoom
    zooms = [view.scale * (zoom0 + (zoom1 - zoom0) * knot) for knot in tube.knots]
    radii = list(zip(zooms, tube.side, tube.depth, strict=True))
    # ellipse turned by yaw: width = |(side cos, depth sin)|, depth = |(side sin, depth cos)|
    widths = [zoom * math.hypot(side * cos_yaw, depth * sin_yaw) for zoom, side, depth in radii]
    depths = [zoom * math.hypot(side * sin_yaw, depth * cos_yaw) for zoom, side, depth in radii]
    width = np.interp(_PROFILE_AT, tube.knots, widths).astype(np.float32)
    return width, np.interp(_PROFILE_AT, tube.knots, depths).astype(np.float32)


def tube_turn(tube: Tube, view: View) -> float:
    """Return the u at the midline of a tube: 0.5 - atan2(depth sin(yaw), side cos(yaw)) / 2 pi."""
    side = sum(tube.side)
    depth = sum(tube.depth)
    angle = math.atan2(depth * math.sin(view.yaw), side * math.cos(view.yaw))
    return 0.5 - angle / (2.0 * math.pi)
