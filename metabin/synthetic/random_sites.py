"""Random sites: sites with a sampled style, for experiments with more sites than the six listed.

`place-0`, `place-1` ... are sampled around the mean of the listed sites. `place-0-far` has the
people and the camera positions of `place-0`, and a style that is sampled further from that mean.
`place-0-step1`, `place-0-step2` and `place-0-step3` are in between, in equal steps.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np

from metabin.synthetic.colour import PALETTES, Range
from metabin.synthetic.random_streams import Stream, generator
from metabin.synthetic.scene import SCENES
from metabin.synthetic.settings import RenderSettings
from metabin.synthetic.sites import (
    DISTANCES,
    RANDOM_SITE,
    STYLES,
    Imaging,
    SiteStyle,
    Wardrobe,
    site_index,
    site_style,
)

# Standard deviation of the middle of a random site's ranges at gap 1, in those of the listed sites.
_REACH = 1.5
# The deviation of a site, and the distance between its cameras, have factors: 1 if it is near.
_FAR = 0.6  # what far adds to the first
_FAR_SPREAD = 1.0  # and to the second
_BOUNDS: dict[str, Range] = {  # of a range's middle, so that a person remains visible
    "saturation": (0.25, 1.6),
    "gain": (0.45, 1.7),
    "contrast": (0.55, 1.6),
    "gamma": (0.6, 1.7),
    "haze": (0.0, 0.4),
    "resolution": (0.3, 0.95),
    "blur": (0.0, 1.2),
    "noise": (0.004, 0.06),
    "jpeg": (28, 90),
    "light": (0.2, 1.2),
    "pitch": (0.03, 0.6),
    "cast_spread": (0.02, 0.15),
}


def style_of(settings: RenderSettings, site: str) -> SiteStyle:
    """Return the style of a listed or a random site.

    Raises:
        ValueError: The site does not exist.
    """
    match = RANDOM_SITE.fullmatch(site)
    if match is None:
        return site_style(site, settings.gap)
    # share of the way from near to far, in equal steps
    share = list(DISTANCES).index(match["ending"]) / (len(DISTANCES) - 1)
    return _random_style(site, settings.seed, settings.gap, share)


@cache
def _random_style(name: str, seed: int, gap: float, share: float) -> SiteStyle:
    rng = generator(seed, Stream.STYLE, site_index(name))
    reach = gap * _REACH * (1.0 + share * _FAR)
    scenes = tuple(str(kind) for kind in rng.choice(sorted(SCENES), 2, replace=False))
    upper, lower = (str(palette) for palette in rng.choice(sorted(PALETTES), 2))
    # Upper garments, lower garments and accessories of three listed sites.
    wardrobes = [STYLES[int(index)].wardrobe for index in rng.integers(len(STYLES), size=3)]
    garments, legs, extras = wardrobes
    wardrobe = Wardrobe(
        upper,
        lower,
        garments.uppers,
        legs.lowers,
        extras.bags,
        extras.hats,
        extras.scarf,
    )
    occlusion = float(rng.uniform(0.12, 0.3))
    shift = float(rng.uniform(0.05, 0.08))
    spread = 1.0 + share * _FAR_SPREAD
    return SiteStyle(name, scenes, wardrobe, _imaging(rng, reach), occlusion, shift, spread)


def _imaging(rng: np.random.Generator, reach: float) -> Imaging:
    """Sample ranges: normal middles around the listed sites' mean, with their mean width."""
    # cast = exp(normal(0, reach * std of the listed log casts))
    cast = np.log([style.imaging.cast for style in STYLES])
    red, green, blue = (float(value) for value in np.exp(rng.normal(0.0, reach * cast.std(axis=0))))
    haze_colour = STYLES[int(rng.integers(len(STYLES)))].imaging.haze_colour
    ranges: dict[str, Range] = {}
    for name in (field.name for field in fields(Imaging)):
        if name not in _BOUNDS or name == "cast_spread":
            continue
        listed = np.array([getattr(style.imaging, name) for style in STYLES])
        middles = listed.mean(axis=1)
        half = float(np.ptp(listed, axis=1).mean()) / 2
        # middle = clip(normal(mean, reach * std)); range = middle +- half of the mean width
        sample = rng.normal(middles.mean(), reach * middles.std())
        middle = float(np.clip(sample, *_BOUNDS[name]))
        ranges[name] = (max(0.0, middle - half), middle + half)
    low, high = _BOUNDS["cast_spread"]
    fit = np.mean([style.imaging.fit for style in STYLES], axis=0)
    return Imaging(
        cast=(red, green, blue),
        cast_spread=float(rng.uniform(low, high)),
        haze_colour=haze_colour,
        fit=(float(fit[0]), float(fit[1])),
        **ranges,
    )
