"""Places without number: sites whose style is drawn at random, for experiments that need more of them than six.

`place-0`, `place-1` ... are drawn around the mean of the listed sites; `place-0-far` has the people and the camera
posts of `place-0` under a style that is drawn further from that mean.
"""

from dataclasses import fields
from functools import cache

import numpy as np

from .colour import PALETTES, Range
from .scene import SCENES
from .settings import DrawSettings
from .sites import PLACE, STYLES, Imaging, SiteStyle, Wardrobe, site_index, site_style
from .streams import Stream, generator

_REACH = 1.5  # deviations of a place's middles, in those of the listed sites, at gap 1
_FAR = 1.6  # times as far
_FAR_SPREAD = 2.0  # times the distance of the cameras of a far place
_BOUNDS: dict[str, Range] = {  # of a range's middle, so that a person stays to be seen
    "saturation": (0.25, 1.6), "gain": (0.45, 1.7), "contrast": (0.55, 1.6), "gamma": (0.6, 1.7), "haze": (0.0, 0.4),
    "resolution": (0.3, 0.95), "blur": (0.0, 1.2), "noise": (0.004, 0.06), "jpeg": (28, 90), "light": (0.2, 1.2),
    "pitch": (0.03, 0.6), "cast_spread": (0.02, 0.15),
}  # fmt: skip


def style_of(settings: DrawSettings, site: str) -> SiteStyle:
    """The style of a listed site or of a place.

    Raises:
        ValueError: for a site that does not exist.
    """
    match = PLACE.fullmatch(site)
    if match is None:
        return site_style(site, settings.gap)
    return _place_style(site, settings.seed, settings.gap, bool(match["far"]))


@cache
def _place_style(name: str, seed: int, gap: float, far: bool) -> SiteStyle:
    rng = generator(seed, Stream.STYLE, site_index(name))
    reach = gap * _REACH * (_FAR if far else 1.0)
    scenes = tuple(str(kind) for kind in rng.choice(sorted(SCENES), 2, replace=False))
    upper, lower = (str(palette) for palette in rng.choice(sorted(PALETTES), 2))
    garments, legs, extras = (STYLES[int(index)].wardrobe for index in rng.integers(len(STYLES), size=3))
    wardrobe = Wardrobe(upper, lower, garments.uppers, legs.lowers, extras.bags, extras.hats, extras.scarf)
    occlusion, shift = float(rng.uniform(0.12, 0.3)), float(rng.uniform(0.05, 0.08))
    spread = _FAR_SPREAD if far else 1.0
    return SiteStyle(name, scenes, wardrobe, _imaging(rng, reach), occlusion, shift, spread)


def _imaging(rng: np.random.Generator, reach: float) -> Imaging:
    """Middles drawn normally around the listed sites' mean, as wide as theirs on average."""
    cast = np.log([style.imaging.cast for style in STYLES])
    red, green, blue = (float(value) for value in np.exp(rng.normal(0.0, reach * cast.std(axis=0))))
    haze_colour = STYLES[int(rng.integers(len(STYLES)))].imaging.haze_colour
    ranges: dict[str, Range] = {}
    for name in (field.name for field in fields(Imaging) if field.name in _BOUNDS and field.name != "cast_spread"):
        listed = np.array([getattr(style.imaging, name) for style in STYLES])
        middles, half = listed.mean(axis=1), float(np.ptp(listed, axis=1).mean()) / 2
        middle = float(np.clip(rng.normal(middles.mean(), reach * middles.std()), *_BOUNDS[name]))
        ranges[name] = (max(0.0, middle - half), middle + half)
    low, high = _BOUNDS["cast_spread"]
    fit = tuple(float(value) for value in np.mean([style.imaging.fit for style in STYLES], axis=0))
    return Imaging(
        cast=(red, green, blue),
        cast_spread=float(rng.uniform(low, high)),
        haze_colour=haze_colour,
        fit=(fit[0], fit[1]),
        **ranges,
    )
