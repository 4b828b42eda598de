"""Coordinates (u, v) on the surfaces of tubes and balls, by tables of the elementary functions.

v runs from 0 at the top of a part to 1 at its bottom, u around it, with 0.5 at the front, 0.75 at
the person's left and 0 = 1 at the back.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.floating]  # float32 in fact
Cutout = NDArray[np.bool_]

# Elementary functions as tables: fast, and the same bytes on every processor (numpy picks its
# float32 routines by the processor's instruction set, and they differ in the last bit).
_STEPS = 1024
_TABLE_AT = np.linspace(-1.0, 1.0, _STEPS + 1)
_ARCSIN_TURNS = (np.arcsin(_TABLE_AT) / (2.0 * math.pi)).astype(np.float32)
_ARCCOS_HALVES = (np.arccos(_TABLE_AT) / math.pi).astype(np.float32)
_ARCTAN_TURNS = (np.arctan(_TABLE_AT) / (2.0 * math.pi)).astype(np.float32)


def exists(cutout: Cutout, u: Grid, v: Grid) -> NDArray[np.bool_]:
    """Return the value of a cutout's mask at (u, v)."""
    num_v, num_u = cutout.shape
    row = np.minimum(v * np.float32(num_v), num_v - 1).astype(np.int32)
    return cutout[row, (u * np.float32(num_u)).astype(np.int32) % num_u]


def polar_angle(values: Grid) -> Grid:
    """Return v of a ball: arccos(values) / pi, in [0, 1]."""
    return _ARCCOS_HALVES[_table_at(values)]


def _table_at(values: Grid) -> NDArray[np.int32]:
    """Return the index in the tables of values in [-1, 1] (clipped)."""
    place = (values + 1) * np.float32(_STEPS / 2)
    return np.minimum(np.maximum(place, 0), _STEPS).astype(np.int32)


def around_tube(across: Grid, turn: Grid | np.float32) -> Grid:
    """Return u of a tube at its sine from the midline: turn + arcsin(across) / 2 pi, modulo 1."""
    u = _ARCSIN_TURNS[_table_at(across)] + turn
    return u - np.floor(u)


def around_ball(left: Grid, front: Grid) -> Grid:
    """Return u of a ball: the angle of (front, left) in turns, moved so that the front is 0.5."""
    # arctan of the smaller by the larger coordinate, which is in [-1, 1] as the table is:
    # angle = atan(left / front), or 1/4 turn - atan(front / left) where |left| > |front|
    steep = np.abs(left) > np.abs(front)
    large = np.where(steep, left, front)
    small = np.where(steep, front, left)
    angle = _ARCTAN_TURNS[_table_at(small / np.where(large == 0, np.float32(1), large))]
    angle = np.where(steep, np.float32(0.25) - angle, angle)
    # The other half turn has the same ratio: + 1/2 where the larger coordinate is negative.
    angle = np.where(large < 0, angle + np.float32(0.5), angle) + np.float32(0.5)
    return angle - np.floor(angle)
