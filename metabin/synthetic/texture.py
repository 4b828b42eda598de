"""Textures: the (v, u) grid that all are painted on, textile patterns, and the unevenness of cloth."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .colour import Pixels

TEXTURE_SHAPE = (48, 64)
"""Rows (v, along a part) and columns (u, around it) of a texture."""

_NUM_V, _NUM_U = TEXTURE_SHAPE
V, U = np.meshgrid((np.arange(_NUM_V) + 0.5) / _NUM_V, (np.arange(_NUM_U) + 0.5) / _NUM_U, indexing="ij")
"""Coordinates of the texels, (V, U) float64 in (0, 1); u = 0.5 is the front, 0.75 the left, 0 the back."""

FRONT = np.abs(U - 0.5)
"""Angle from the front midline in turns: 0 = front, 0.25 = side, 0.5 = back."""
BACK = 0.5 - FRONT
"""Angle from the back midline in turns."""
SIDE = U - 0.5
"""Signed angle from the front midline in turns; positive to the person's left."""


def plain(colour: Pixels) -> Pixels:
    """A texture (V, U, 3) of one colour."""
    return np.broadcast_to(colour.astype(np.float32), (*TEXTURE_SHAPE, 3)).copy()


def paint(texture: Pixels, mask: NDArray[np.bool_], colour: NDArray[np.floating]) -> None:
    """Paints the texels of a mask (V, U) in one colour (3,), in place."""
    texture[mask] = colour


def pattern_mask(name: str, rate: float, phase: float) -> NDArray[np.float64]:
    """How much of the second colour a textile pattern shows, (V, U) in [0, 1].

    Args:
        name: one of `identity.PATTERNS`.
        rate: repeats along the part; around it, a whole number near it, so that there is no seam.
        phase: shift in repeats, in [0, 1].
    """
    rings = V * rate + phase
    around = round(rate)
    masks = {
        "plain": lambda: np.zeros(TEXTURE_SHAPE),
        "stripes": lambda: rings % 1.0 < 0.45,
        "pinstripes": lambda: (U * 4 * around + phase) % 1.0 < 0.4,
        "checks": lambda: 0.5 * (rings % 1.0 < 0.5) + 0.5 * ((U * 2 * around + phase) % 1.0 < 0.5),
        "dots": lambda: (rings % 1.0 - 0.5) ** 2 + ((U * 2 * around + phase) % 1.0 - 0.5) ** 2 < 0.09,
        "blocks": lambda: 0.35 + 0.35 * phase < V,
        "gradient": lambda: np.clip(1.2 * V - 0.1, 0.0, 1.0),
        "diagonals": lambda: (0.7 * V * rate + U * around + phase) % 1.0 < 0.4,
        "band": lambda: np.abs(V - 0.25 - 0.4 * phase) < 0.10,
    }
    return masks[name]().astype(np.float64)


def mix(first: Pixels, second: Pixels, mask: NDArray[np.floating]) -> Pixels:
    """The first colour where the mask (V, U) is 0, the second where it is 1: a texture (V, U, 3)."""
    share = mask[..., None].astype(np.float32)
    return first * (1 - share) + second * share


def low_noise(rng: np.random.Generator, shape: tuple[int, int], knots: tuple[int, int], amplitude: float) -> Pixels:
    """Smooth noise of a shape (rows, columns): normal values at a coarse grid of knots, bicubic between."""
    coarse = rng.standard_normal(knots).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32) * np.float32(amplitude)
