"""A camera of a site: its view, its light, its scenes and its imaging values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from metabin.synthetic.colour import Range
from metabin.synthetic.random_sites import style_of
from metabin.synthetic.random_streams import Stream, generator
from metabin.synthetic.scene import render_scene
from metabin.synthetic.settings import NUM_CAMS, RenderSettings
from metabin.synthetic.sites import Imaging, site_index

_NUM_SCENES = 2  # backgrounds of a camera, from which images are cut out
_SIDES = (0.0, math.pi, 0.5 * math.pi, -0.5 * math.pi)  # front, back, right side, left side
_YAW_SPREAD = 0.25  # radians


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Values of one camera, sampled from the ranges of its site (units: see `sites.Imaging`).

    `light` is the strength of the directed light, `light_side` its direction (-1 = left, 1 =
    right); `roll` is the slope of the image; `scenes` are backgrounds, 8-bit RGB.
    """

    yaw: float
    pitch: float
    roll: float
    fit: float
    light: float
    light_side: float
    cast: NDArray[np.float32]
    haze_colour: NDArray[np.float32]
    haze: float
    saturation: float
    gain: float
    contrast: float
    gamma: float
    resolution: float
    blur: float
    noise: float
    jpeg: float
    scenes: tuple[NDArray[np.uint8], ...]


@lru_cache(maxsize=2 * NUM_CAMS)
def camera_of(settings: RenderSettings, site: str, camid: int) -> Camera:
    """Return the camera with number camid (0-based) of a site; cached per arguments."""
    key = (site_index(site), camid)
    rng = generator(settings.seed, Stream.CAMERA, *key)
    style = style_of(settings, site)
    spread = settings.spread * style.spread
    imaging = style.imaging
    kind = style.scenes[camid % len(style.scenes)]
    scenes = tuple(
        render_scene(generator(settings.seed, Stream.SCENE, *key, index), kind)
        for index in range(_NUM_SCENES)
    )
    # cast of the camera = cast of the site * exp(deviation)
    cast = np.array(imaging.cast) * np.exp(rng.normal(0.0, imaging.cast_spread * spread, 3))
    return Camera(
        yaw=_SIDES[camid] + float(rng.normal(0.0, _YAW_SPREAD)),
        pitch=_uniform(rng, imaging.pitch),
        roll=float(rng.normal(0.0, 0.02)),
        fit=_uniform(rng, imaging.fit),
        light=_uniform(rng, imaging.light),
        light_side=float(rng.uniform(-1.0, 1.0)),
        cast=cast.astype(np.float32),
        haze_colour=np.array(imaging.haze_colour, np.float32),
        resolution=_uniform(rng, imaging.resolution),
        blur=_uniform(rng, imaging.blur),
        noise=_uniform(rng, imaging.noise),
        jpeg=_uniform(rng, imaging.jpeg),
        scenes=scenes,
        **_tones(rng, imaging, spread),
    )


def _uniform(rng: np.random.Generator, span: Range) -> float:
    return float(rng.uniform(*span))


def _tones(rng: np.random.Generator, imaging: Imaging, spread: float) -> dict[str, float]:
    """Sample the values that colour statistics depend on most; `spread` scales their deviation."""
    tones = {}
    for name in ("saturation", "gain", "contrast", "gamma", "haze"):
        low, high = getattr(imaging, name)
        middle = (low + high) / 2.0
        # tone = middle + spread * (uniform in range - middle)
        tones[name] = middle + spread * (float(rng.uniform(low, high)) - middle)
    return tones
