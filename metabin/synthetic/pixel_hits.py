"""The first pass of the rasteriser: the nearest shape at each pixel, and where it is hit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from metabin.synthetic.surface_coordinates import Grid

Box = tuple[slice, slice]

# The figure is rendered larger than it is stored, and resampled by the imaging chain.
RENDER_HEIGHT = 160
RENDER_WIDTH = 80

ROWS, COLUMNS = np.mgrid[0:RENDER_HEIGHT, 0:RENDER_WIDTH].astype(np.float32)


class Hits:
    """The nearest hit at each pixel: shape (-1 = none), nearness, and three local coordinates.

    They are (across, beyond the end, t) for a tube and (left, up, front) on the unit sphere for a
    ball.
    """

    def __init__(self) -> None:
        shape = (RENDER_HEIGHT, RENDER_WIDTH)
        self.shape = np.full(shape, -1, np.int16)
        self.nearness = np.full(shape, -1e9, np.float32)
        self.local = np.zeros((3, *shape), np.float32)

    def write(
        self,
        box: Box,
        shape: int,
        hit: NDArray[np.bool_],
        nearness: Grid,
        local: tuple[Grid, ...],
    ) -> None:
        """Write the pixels of a box where the new hit is nearer than the stored one."""
        nearer = hit & (nearness > self.nearness[box])
        np.copyto(self.shape[box], shape, where=nearer)
        np.copyto(self.nearness[box], nearness, where=nearer)
        for plane, values in zip(self.local, local, strict=True):
            np.copyto(plane[box], values, where=nearer)


def pixels_within(left: float, right: float, top: float, bottom: float) -> Box | None:
    """Return the pixels of the image within bounds, or None if there are none."""
    rows = slice(max(0, math.floor(top)), min(RENDER_HEIGHT, math.ceil(bottom) + 1))
    columns = slice(max(0, math.floor(left)), min(RENDER_WIDTH, math.ceil(right) + 1))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None
