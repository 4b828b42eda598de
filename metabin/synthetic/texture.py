"""Textures: the (v, u) grid of every texture, textile patterns, and the unevenness of cloth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from metabin.synthetic.colour import Pixels

TEXTURE_SHAPE = (48, 64)
"""Rows (v, along a part) and columns (u, around it) of a texture."""

_NUM_V, _NUM_U = TEXTURE_SHAPE
_V_CENTRES = (np.arange(_NUM_V) + 0.5) / _NUM_V
_U_CENTRES = (np.arange(_NUM_U) + 0.5) / _NUM_U
V, U = np.meshgrid(_V_CENTRES, _U_CENTRES, indexing="ij")
"""Coordinates of the texels, float64 in (0, 1); u = 0.5 is the front, 0.75 the left, 0 the back."""

FRONT = np.abs(U - 0.5)
"""Angle from the front midline in turns: 0 = front, 0.25 = side, 0.5 = back."""
BACK = 0.5 - FRONT
"""Angle from the back midline in turns."""
SIDE = U - 0.5
"""Signed angle from the front midline in turns; positive to the person's left."""


def plain(colour: Pixels) -> Pixels:
    """Return a texture (V, U, 3) of one colour."""
    return np.broadcast_to(colour.astype(np.float32), (*TEXTURE_SHAPE, 3)).copy()


def paint(texture: Pixels, mask: NDArray[np.bool_], colour: NDArray[np.floating]) -> None:
    """Paint the texels of a mask (V, U) in one colour (3,), in place."""
    texture[mask] = colour


def pattern_mask(name: str, rate: float, phase: float) -> NDArray[np.float64]:
    """Return the share of the second colour in a textile pattern, (V, U) in [0, 1].

    Args:
        name: One of `identity.PATTERNS`.
        rate: Repeats along the part. The repeats around it are the nearest integer, so that the
            pattern has no seam.
        phase: Shift in repeats, in [0, 1].
    """
    rings = V * rate + phase  # repeats along the part
    around = round(rate)
    masks = {
        "plain": lambda: np.zeros(TEXTURE_SHAPE),
        "stripes": lambda: rings % 1.0 < 0.45,
        "pinstripes": lambda: (U * 4 * around + phase) % 1.0 < 0.4,
        "checks": lambda: 0.5 * (rings % 1.0 < 0.5) + 0.5 * ((U * 2 * around + phase) % 1.0 < 0.5),
        # discs of radius 0.3 in the unit cell: dv^2 + du^2 < 0.09
        "dots": lambda: (
            (rings % 1.0 - 0.5) ** 2 + ((U * 2 * around + phase) % 1.0 - 0.5) ** 2 < 0.09
        ),
        "blocks": lambda: 0.35 + 0.35 * phase < V,
        "gradient": lambda: np.clip(1.2 * V - 0.1, 0.0, 1.0),
        "diagonals": lambda: (0.7 * V * rate + U * around + phase) % 1.0 < 0.4,
        "band": lambda: np.abs(V - 0.25 - 0.4 * phase) < 0.10,
    }
    return masks[name]().astype(np.float64)


def mix(first: Pixels, second: Pixels, mask: NDArray[np.floating]) -> Pixels:
    """Blend two colours by a mask (V, U), 0 = first, 1 = second; returns a texture (V, U, 3)."""
    share = mask[..., None].astype(np.float32)
    return first * (1 - share) + second * share


def low_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    knots: tuple[int, int],
    amplitude: float,
) -> Pixels:
    """Return smooth noise: normal values on a coarse grid of knots, bicubic between them.

    Args:
        rng: Random generator.
        shape: Rows and columns of the result.
        knots: Rows and columns of the grid.
        amplitude: Standard deviation at the knots.
    """
    coarse = rng.standard_normal(knots).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32) * np.float32(amplitude)
