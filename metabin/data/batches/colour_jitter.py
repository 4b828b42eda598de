"""Random changes of brightness, contrast, saturation and hue, compiled by numba.

The results equal those of torchvision's ColorJitter for PIL images, which the reference uses: each
change rounds to 8 bits as PIL does, and the hue changes in an 8-bit HSV image.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Half-widths of the ranges of the reference's colour jitter for a single source.
BRIGHTNESS = 0.15
CONTRAST = 0.15
SATURATION = 0.1
HUE = 0.1
WIDE = (0.5, 2.0)  # factors of brightness, contrast and saturation of a strong change; BAU's

compiled = njit(cache=True, nogil=True, error_model="numpy")
# The processor computes several pixels at once, the more the narrower their numbers are. numba
# keeps float32 only where every number of an operation is float32.
f32 = np.float32


# The last arguments of `change_colours`: order, brightness, contrast, saturation and hue.
Colours = tuple[np.ndarray, float, float, float, float]


def draw_colours(random: np.random.Generator) -> Colours:
    """Draw random changes of brightness, contrast, saturation and hue, in random order."""
    brightness = 1 + random.uniform(-BRIGHTNESS, BRIGHTNESS)
    contrast = 1 + random.uniform(-CONTRAST, CONTRAST)
    saturation = 1 + random.uniform(-SATURATION, SATURATION)
    hue = random.uniform(-HUE, HUE)
    return random.permutation(4), brightness, contrast, saturation, hue


def draw_wide_colours(random: np.random.Generator) -> Colours:
    """Draw strong changes of brightness, contrast, saturation and hue, in random order."""
    brightness, contrast, saturation = random.uniform(*WIDE, 3).tolist()
    return random.permutation(4), brightness, contrast, saturation, random.uniform(-HUE, HUE)


@compiled
def change_colours(
    image: np.ndarray,
    order: np.ndarray,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
) -> None:
    """Change the colours of an image in place.

    Args:
        image: (H, W, 3) uint8, contiguous.
        order: The changes in order: 0 brightness, 1 contrast, 2 saturation, 3 hue.
        brightness, contrast, saturation: Factors, 1 for no change.
        hue: Part of the colour circle by which all hues turn, -0.5 to 0.5.
    """
    flat = image.reshape(-1)
    num_pixels = len(flat) // 3
    # The changes run over one array per colour, where neighbours need no shuffling.
    red = np.empty(num_pixels, np.uint8)
    green = np.empty(num_pixels, np.uint8)
    blue = np.empty(num_pixels, np.uint8)
    for p in range(num_pixels):
        red[p] = flat[3 * p]
        green[p] = flat[3 * p + 1]
        blue[p] = flat[3 * p + 2]
    for change in order:
        if change == 0:
            _blend_all(f32(0), red, green, blue, f32(brightness))
        elif change == 1:
            _blend_all(_mean_grey(red, green, blue), red, green, blue, f32(contrast))
        elif change == 2:
            _change_saturation(red, green, blue, f32(saturation))
        else:
            _turn_hue(red, green, blue, np.int32(hue * 255))
    for p in range(num_pixels):
        flat[3 * p] = red[p]
        flat[3 * p + 1] = green[p]
        flat[3 * p + 2] = blue[p]


@compiled
def _blend_all(
    level: np.float32, red: np.ndarray, green: np.ndarray, blue: np.ndarray, factor: np.float32
) -> None:
    """Scale the differences of all pixels to one grey level."""
    for p in range(len(red)):
        red[p] = _blend(level, f32(red[p]), factor)
        green[p] = _blend(level, f32(green[p]), factor)
        blue[p] = _blend(level, f32(blue[p]), factor)


@compiled
def _change_saturation(
    red: np.ndarray, green: np.ndarray, blue: np.ndarray, factor: np.float32
) -> None:
    """Scale the differences of all pixels to their own grey level."""
    for p in range(len(red)):
        level = f32(_grey(red[p], green[p], blue[p]))
        red[p] = _blend(level, f32(red[p]), factor)
        green[p] = _blend(level, f32(green[p]), factor)
        blue[p] = _blend(level, f32(blue[p]), factor)


@compiled
def _blend(level: np.float32, value: np.float32, factor: np.float32) -> np.uint8:
    """Return level + factor * (value - level), clipped to 0..255 and without its fraction."""
    return np.uint8(np.int32(_clip(level + factor * (value - level))))


@compiled
def _mean_grey(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.float32:
    """Return the mean of all pixels' grey levels, rounded."""
    total = 0
    for p in range(len(red)):
        total += _grey(red[p], green[p], blue[p])
    return f32(int(total / len(red) + 0.5))


@compiled
def _grey(red: np.uint8, green: np.uint8, blue: np.uint8) -> np.int32:
    """Return the luma of ITU-R 601, 0.299 R + 0.587 G + 0.114 B, rounded in steps of 1 / 65536."""
    weighted = np.int32(red) * 19595 + np.int32(green) * 38470 + np.int32(blue) * 7471
    return np.int32((weighted + 32768) >> 16)


@compiled
def _turn_hue(red: np.ndarray, green: np.ndarray, blue: np.ndarray, shift: np.int32) -> None:
    """Add a shift to the hue of all pixels, in units of 1 / 255 of the circle."""
    for p in range(len(red)):
        r = f32(red[p])
        g = f32(green[p])
        b = f32(blue[p])
        value = max(r, max(g, b))
        spread = value - min(r, min(g, b))
        hue = np.uint8(_hue(r, g, b, value, spread) + shift)
        saturation = np.int32(f32(255) * spread / max(value, f32(1)))
        # colour = value - value * saturation * distance, all but the value in units of 1 / 255. The
        # distance of the hue from a colour is 0 within a sixth of the circle (255 of 6 * 255 units)
        # on both sides of the colour, 1 beyond two sixths, and linear in between.
        angle = f32(6) * f32(hue)
        chroma = value * f32(saturation)
        from_red = _clip(f32(510) - abs(angle - f32(765)))
        from_green = _clip(abs(angle - f32(510)) - f32(255))
        from_blue = _clip(abs(angle - f32(1020)) - f32(255))
        red[p] = _subtract(value, chroma * from_red)
        green[p] = _subtract(value, chroma * from_green)
        blue[p] = _subtract(value, chroma * from_blue)


@compiled
def _hue(
    r: np.float32, g: np.float32, b: np.float32, value: np.float32, spread: np.float32
) -> np.int32:
    """Return the hue in 0..255, and 0 for grey.

    The result is cut to a whole number, which depends on the last bit: the first sum is in float64,
    and the rest in float32, as in PIL.
    """
    # Counted in sixths of the circle: red is at 0, green at 2 and blue at 4.
    if r == value:
        start = 0.0
        before = b
        after = g
    elif g == value:
        start = 2.0
        before = r
        after = b
    else:
        start = 4.0
        before = g
        after = r
    width = max(spread, f32(1))
    sixths = f32(start + (value - before) / width - (value - after) / width)
    turn = sixths / f32(6)
    turn = turn + f32(1) if sixths < 0 else turn
    return np.int32(turn * f32(255)) if spread > 0 else np.int32(0)


@compiled
def _clip(number: np.float32) -> np.float32:
    """Return a number clipped to 0..255."""
    return min(max(number, f32(0)), f32(255))


@compiled
def _subtract(value: np.float32, product: np.float32) -> np.uint8:
    """Return value - product / 255 ** 2, rounded."""
    return np.uint8(np.int32(value - product * f32(1 / 65025) + f32(0.5)))
