"""Intersection of balls (ellipsoids) with the rays of the pixels."""

from __future__ import annotations

import numpy as np

from metabin.synthetic.geometry import Ball, View
from metabin.synthetic.pixel_hits import COLUMNS, ROWS, Hits, pixels_within
from metabin.synthetic.surface_coordinates import Cutout, around_ball, exists, polar_angle


def hit_ball(
    hits: Hits,
    index: int,
    ball: Ball,
    view: View,
    cutout: Cutout | None,
) -> tuple[float, ...]:
    """Intersect an ellipsoid with parallel rays.

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
    box = pixels_within(column - reach_x, column + reach_x, row - reach_y, row + reach_y)
    if box is None:
        return frame
    right = COLUMNS[box] - np.float32(column)
    up = np.float32(row) - ROWS[box]
    # A ray in the unit sphere's coordinates is base + z ray. Solve |base + z ray|^2 = 1 for the
    # nearer z:  z = (sqrt(cross^2 - |ray|^2 (|base|^2 - 1)) - cross) / |ray|^2,  cross = base . ray
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
        hit &= exists(cutout, around_ball(left, front), polar_angle(top))
    nearness = np.float32(near) + z * np.float32(1.0 / (view.scale * zoom))
    hits.write(box, index, hit, nearness, (left, top, front))
    return frame
