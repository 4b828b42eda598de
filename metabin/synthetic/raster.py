"""The rasteriser: shapes, z-buffered into a G-buffer of surface attributes.

A surface point is addressed by (part, u, v): v runs from 0 at the top of a part to 1 at its bottom,
u around it, with 0.5 at the front, 0.75 at the person's left and 0 = 1 at the back.

Two passes: the first finds for each pixel the nearest shape and where it is hit, in the shape's own
coordinates; the second turns these into u, v and normals, once for all pixels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Ball, Tube, View

Grid = NDArray[np.floating]  # float32 in fact
Cutout = NDArray[np.bool_]
Box = tuple[slice, slice]

DRAW_HEIGHT, DRAW_WIDTH = 160, 80
"""The figure is drawn larger than it is stored, and resampled by the imaging chain."""

_ROWS, _COLUMNS = np.mgrid[0:DRAW_HEIGHT, 0:DRAW_WIDTH].astype(np.float32)

# Elementary functions as tables: fast, and the same bytes on every processor (numpy picks its
# float32 routines by the processor's instruction set, and they differ in the last bit).
_STEPS = 1024
_TABLE_AT = np.linspace(-1.0, 1.0, _STEPS + 1)
_ARCSIN_TURNS = (np.arcsin(_TABLE_AT) / (2.0 * math.pi)).astype(np.float32)
_ARCCOS_HALVES = (np.arccos(_TABLE_AT) / math.pi).astype(np.float32)
_ARCTAN_TURNS = (np.arctan(_TABLE_AT) / (2.0 * math.pi)).astype(np.float32)
_PROFILE_STEPS = 48
_PROFILE_AT = np.linspace(0.0, 1.0, _PROFILE_STEPS)


@dataclass(frozen=True, slots=True)
class GBuffer:
    """What is seen of a figure: a mask, and the surface at its N pixels in row-major order.

    Attributes:
        seen: (DRAW_HEIGHT, DRAW_WIDTH).
        part: (N,) parts. u, v: (N,) in [0, 1].
        normal: (3, N) unit vectors in the view frame: right, up, towards the camera.
    """

    seen: NDArray[np.bool_]
    part: NDArray[np.int16]
    u: Grid
    v: Grid
    normal: Grid


class _Hits:
    """The nearest hit at each pixel: shape (-1 = none), nearness, and three local coordinates.

    They are (across, beyond the end, t) for a tube and (left, up, front) on the unit sphere for a ball.
    """

    def __init__(self) -> None:
        shape = (DRAW_HEIGHT, DRAW_WIDTH)
        self.shape = np.full(shape, -1, np.int16)
        self.nearness = np.full(shape, -1e9, np.float32)
        self.local = np.zeros((3, *shape), np.float32)

    def write(self, box: Box, shape: int, hit: NDArray[np.bool_], nearness: Grid, local: tuple[Grid, ...]) -> None:
        """Writes the pixels of a box that are hit nearer than before."""
        nearer = hit & (nearness > self.nearness[box])
        np.copyto(self.shape[box], shape, where=nearer)
        np.copyto(self.nearness[box], nearness, where=nearer)
        for plane, values in zip(self.local, local, strict=True):
            np.copyto(plane[box], values, where=nearer)


def draw_figure(shapes: Sequence[Tube | Ball], view: View, cutouts: Mapping[int, Cutout]) -> GBuffer:
    """Draws shapes, in any order, into a G-buffer.

    Args:
        shapes: the figure.
        view: where the camera stands.
        cutouts: for some parts that are balls or upright tubes, (V, U) masks; the surface exists only
            where they are True.
    """
    hits = _Hits()
    frames = np.zeros((len(shapes), 9), np.float32)  # three axes of the normal, by local coordinate
    turns = np.zeros(len(shapes), np.float32)  # u of a tube's midline
    for index, shape in enumerate(shapes):
        cutout = cutouts.get(shape.part)
        if isinstance(shape, Tube):
            turns[index] = _tube_turn(shape, view)
            frames[index] = _hit_tube(hits, index, shape, view, cutout, turns[index])
        else:
            frames[index] = _hit_ball(hits, index, shape, view, cutout)
    return _resolve(hits, shapes, frames, turns)


def _resolve(hits: _Hits, shapes: Sequence[Tube | Ball], frames: Grid, turns: Grid) -> GBuffer:
    """The second pass: surface attributes of all pixels that are hit."""
    seen = hits.shape >= 0
    index = hits.shape[seen]
    first, second, third = (plane[seen] for plane in hits.local)
    is_ball = np.array([isinstance(shape, Ball) for shape in shapes])[index]
    u = np.where(is_ball, _around_ball(first, third), _around_tube(first, turns[index]))
    v = np.where(is_ball, _ARCCOS_HALVES[_table_at(second)], third)
    front = np.sqrt(np.maximum(1 - first * first - second * second, np.float32(0)))
    front = np.where(is_ball, third, front)
    frame = frames[index].T
    normal = first * frame[0:3] + second * frame[3:6] + front * frame[6:9]
    length = np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2] + np.float32(1e-12))
    part = np.array([shape.part for shape in shapes], np.int16)[index]
    return GBuffer(seen, part, u, v, normal / length)


def _hit_tube(hits: _Hits, index: int, tube: Tube, view: View, cutout: Cutout | None,
              turn: np.float32) -> tuple[float, ...]:  # fmt: skip
    """Hits a tube as seen from far: across its axis it is an ellipse, along it a line.

    Returns:
        The normals' axes for (across, beyond, front), flat.
    """
    column0, row0, near0, zoom0 = view.project(tube.start)
    column1, row1, near1, zoom1 = view.project(tube.end)
    length = math.hypot(column1 - column0, row1 - row0)
    if length < 1e-3:  # seen end on
        row1, length = row0 + 1e-3, 1e-3
    ax, ay = (column1 - column0) / length, (row1 - row0) / length
    lean = (near1 - near0) * view.scale
    lean /= math.hypot(length, lean)  # the axis's component towards the camera, in [-1, 1]
    hand = 1.0 if ay >= 0.0 else -1.0  # keeps u running the same way in limbs that point up
    frame = (hand * ay, hand * ax, 0.0, ax, -ay, 0.0, -lean * ax, lean * ay, math.sqrt(1.0 - lean * lean))
    width, thickness = _profile(tube, view, zoom0, zoom1)
    over_side = float(width.max())
    over_end = float(max(width[0], width[-1])) / tube.cap + abs(lean) * float(thickness.max())
    over_x = abs(ay) * over_side + abs(ax) * over_end + 1.0
    over_y = abs(ax) * over_side + abs(ay) * over_end + 1.0
    box = _box(min(column0, column1) - over_x, max(column0, column1) + over_x,
               min(row0, row1) - over_y, max(row0, row1) + over_y)  # fmt: skip
    if box is None:
        return frame

    right, down = _COLUMNS[box] - np.float32(column0), _ROWS[box] - np.float32(row0)
    along = right * np.float32(ax) + down * np.float32(ay)
    across = right * np.float32(hand * ay) - down * np.float32(hand * ax)
    # The surface bulges towards the camera, which moves it along the axis when that leans: rings
    # round a body are seen as arcs. The first guess of t gives the radius that the second needs.
    step, last = np.float32((_PROFILE_STEPS - 1) / length), np.float32(_PROFILE_STEPS - 1)
    guess = np.minimum(np.maximum(along * step, 0), last).astype(np.int32)
    ratio = across / width[guess]
    along += np.float32(lean) * thickness[guess] * np.sqrt(np.maximum(1 - ratio * ratio, np.float32(0)))
    place = np.minimum(np.maximum(along * step, 0), last)
    at = place.astype(np.int32)
    t = place * (1 / last)
    radius = width[at]
    across /= radius
    beyond = (along - t * np.float32(length)) * np.float32(tube.cap) / radius
    front = 1 - across * across - beyond * beyond
    hit = front > 0
    if cutout is not None:
        hit &= _exists(cutout, _around_tube(across, turn), t)
    bulge = np.sqrt(np.maximum(front, np.float32(0))) * thickness[at]
    nearness = np.float32(near0 + tube.over) + t * np.float32(near1 - near0) + bulge * np.float32(1.0 / view.scale)
    hits.write(box, index, hit, nearness, (across, beyond, t))
    return frame


def _profile(tube: Tube, view: View, zoom0: float, zoom1: float) -> tuple[Grid, Grid]:
    """Half-width across the image and half-depth along the view, in pixels, (_PROFILE_STEPS,) each."""
    ct, st = math.cos(view.yaw), math.sin(view.yaw)
    zooms = [view.scale * (zoom0 + (zoom1 - zoom0) * knot) for knot in tube.knots]
    radii = list(zip(zooms, tube.side, tube.depth, strict=True))
    widths = [zoom * math.hypot(side * ct, depth * st) for zoom, side, depth in radii]
    depths = [zoom * math.hypot(side * st, depth * ct) for zoom, side, depth in radii]
    width = np.interp(_PROFILE_AT, tube.knots, widths).astype(np.float32)
    return width, np.interp(_PROFILE_AT, tube.knots, depths).astype(np.float32)


def _tube_turn(tube: Tube, view: View) -> float:
    """Which u a tube shows on its midline."""
    side, depth = sum(tube.side), sum(tube.depth)
    return 0.5 - math.atan2(depth * math.sin(view.yaw), side * math.cos(view.yaw)) / (2.0 * math.pi)


def _hit_ball(hits: _Hits, index: int, ball: Ball, view: View, cutout: Cutout | None) -> tuple[float, ...]:
    """Hits an ellipsoid with parallel rays.

    Returns:
        The normals' axes for (left, up, front), flat; not of unit length.
    """
    column, row, near, zoom = view.project(ball.centre)
    turned = (np.array(view.rows)[:, :, None] * ball.axes).sum(axis=1)
    shape = turned * (view.scale * zoom)  # unit sphere to view frame, in pixels
    squares = shape * shape
    to_sphere = (shape / squares.sum(axis=0)).T  # the inverse: the columns are orthogonal
    frame = tuple(to_sphere.ravel().tolist())
    reach_x, reach_y = np.sqrt(squares[:2].sum(axis=1)).tolist()
    box = _box(column - reach_x, column + reach_x, row - reach_y, row + reach_y)
    if box is None:
        return frame
    right, up = _COLUMNS[box] - np.float32(column), np.float32(row) - _ROWS[box]
    # A ray's point is base + z * ray on the unit sphere's scale; solve |base + z * ray| = 1 for the nearer z.
    lines = to_sphere.astype(np.float32)
    base = [line[0] * right + line[1] * up for line in lines]
    ray = lines[:, 2]
    ray_square = ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2]
    cross = base[0] * ray[0] + base[1] * ray[1] + base[2] * ray[2]
    square = base[0] * base[0] + base[1] * base[1] + base[2] * base[2]
    root = cross * cross - ray_square * (square - 1)
    hit = root > 0
    z = (np.sqrt(np.maximum(root, np.float32(0))) - cross) * (1 / ray_square)
    left, top, front = (start + z * slope for start, slope in zip(base, ray, strict=True))
    if cutout is not None:
        hit &= _exists(cutout, _around_ball(left, front), _ARCCOS_HALVES[_table_at(top)])
    nearness = np.float32(near) + z * np.float32(1.0 / (view.scale * zoom))
    hits.write(box, index, hit, nearness, (left, top, front))
    return frame


def _box(left: float, right: float, top: float, bottom: float) -> Box | None:
    """The pixels of the image within bounds, or None if there are none."""
    rows = slice(max(0, math.floor(top)), min(DRAW_HEIGHT, math.ceil(bottom) + 1))
    columns = slice(max(0, math.floor(left)), min(DRAW_WIDTH, math.ceil(right) + 1))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _exists(cutout: Cutout, u: Grid, v: Grid) -> NDArray[np.bool_]:
    """Whether the surface exists at (u, v)."""
    num_v, num_u = cutout.shape
    row = np.minimum(v * np.float32(num_v), num_v - 1).astype(np.int32)
    return cutout[row, (u * np.float32(num_u)).astype(np.int32) % num_u]


def _table_at(values: Grid) -> NDArray[np.int32]:
    """Where the tables hold a function's value at values in [-1, 1] (clipped)."""
    place = (values + 1) * np.float32(_STEPS / 2)
    return np.minimum(np.maximum(place, 0), _STEPS).astype(np.int32)


def _around_tube(across: Grid, turn: Grid | np.float32) -> Grid:
    """u of a tube at its sine from the midline."""
    u = _ARCSIN_TURNS[_table_at(across)] + turn
    return u - np.floor(u)


def _around_ball(left: Grid, front: Grid) -> Grid:
    """u of a ball: the angle of (front, left) in turns, moved so that the front is 0.5."""
    steep = np.abs(left) > np.abs(front)
    large, small = np.where(steep, left, front), np.where(steep, front, left)
    angle = _ARCTAN_TURNS[_table_at(small / np.where(large == 0, np.float32(1), large))]
    angle = np.where(steep, np.float32(0.25) - angle, angle)  # the other half turn has the same ratio
    angle = np.where(large < 0, angle + np.float32(0.5), angle) + np.float32(0.5)
    return angle - np.floor(angle)
