"""The six listed sites as data: clothes, scenes and imaging of each.

The imaging numbers are ranges; the values of each camera are sampled from them. `gap` moves the
ranges of all sites towards their common mean, and so scales the distance between the domains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache

from metabin.synthetic.colour import Range

Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Wardrobe:
    """Clothes of a site: palettes (names in `colour.PALETTES`) and weights of the choices."""

    upper_palette: str
    lower_palette: str
    uppers: Weights
    lowers: Weights
    bags: Weights
    hats: Weights = (("none", 0.85), ("cap", 0.1), ("beanie", 0.05))
    scarf: float = 0.03


@dataclass(frozen=True, slots=True)
class Imaging:
    """Imaging of a site's cameras: each field but the casts is a range of uniform samples.

    Attributes:
        cast: Factors of red, green and blue.
        cast_spread: Log-normal deviation of the cast over cameras.
        haze_colour: RGB in [0, 1].
        saturation, gain, contrast, gamma: 1 leaves the image unchanged.
        haze: Share of the haze's colour in the image, in [0, 1].
        resolution: True resolution as a share of the stored one, in (0, 1].
        blur: Gaussian radius in stored pixels.
        noise: Standard deviation in [0, 1] units.
        jpeg: JPEG quality.
        light: Strength of directed light, 0 = overcast.
        pitch: Angle by which the camera looks down, in radians.
        fit: Height of a person of mean stature as a share of the image's height.
    """

    cast: tuple[float, float, float]
    cast_spread: float
    haze_colour: tuple[float, float, float]
    saturation: Range
    gain: Range
    contrast: Range
    gamma: Range
    haze: Range
    resolution: Range
    blur: Range
    noise: Range
    jpeg: Range
    light: Range
    pitch: Range
    fit: Range


@dataclass(frozen=True, slots=True)
class SiteStyle:
    """Style of a site.

    Attributes:
        name: Name of the site.
        scenes: Scene kinds (names in `scene.SCENES`), which the cameras use in turn.
        wardrobe: Clothes of the people.
        imaging: Imaging of the cameras.
        occlusion: Share of images with an occluder.
        shift: Deviation of the person's place from the image's centre, as a share of its width.
        spread: Factor on the distance between the cameras' styles.
    """

    name: str
    scenes: tuple[str, ...]
    wardrobe: Wardrobe
    imaging: Imaging
    occlusion: float
    shift: float
    spread: float = 1.0


def _uppers(
    tee: float, shirt: float, open_: float, coat: float, hoodie: float, tank: float
) -> Weights:
    return (
        ("tee", tee),
        ("shirt", shirt),
        ("open", open_),
        ("coat", coat),
        ("hoodie", hoodie),
        ("tank", tank),
    )


def _lowers(trousers: float, shorts: float, skirt: float, leggings: float) -> Weights:
    return ("trousers", trousers), ("shorts", shorts), ("skirt", skirt), ("leggings", leggings)


def _bags(none: float, backpack: float, shoulder: float, hand: float) -> Weights:
    return ("none", none), ("backpack", backpack), ("shoulder", shoulder), ("hand", hand)


STYLES = (
    SiteStyle(
        name="campus", scenes=("lawn", "square"), occlusion=0.12, shift=0.05,
        wardrobe=Wardrobe("bright", "denim", _uppers(0.45, 0.12, 0.12, 0.0, 0.16, 0.15),
                          _lowers(0.38, 0.32, 0.2, 0.1), _bags(0.3, 0.48, 0.12, 0.1),
                          hats=(("none", 0.80), ("cap", 0.12), ("sunhat", 0.08))),
        imaging=Imaging(
            cast=(1.04, 1.03, 0.92), cast_spread=0.05, haze_colour=(0.9, 0.9, 0.85),
            saturation=(1.0, 1.25), gain=(1.0, 1.25), contrast=(1.0, 1.2), gamma=(0.85, 1.05),
            haze=(0.0, 0.05), resolution=(0.7, 1.0), blur=(0.0, 0.5), noise=(0.005, 0.015),
            jpeg=(75, 92), light=(0.55, 0.95), pitch=(0.05, 0.20), fit=(0.86, 0.96),
        ),
    ),
    SiteStyle(
        name="station", scenes=("platform",), occlusion=0.30, shift=0.08,
        wardrobe=Wardrobe("office", "dark", _uppers(0.08, 0.40, 0.32, 0.1, 0.08, 0.02),
                          _lowers(0.78, 0.02, 0.15, 0.05), _bags(0.35, 0.2, 0.25, 0.2), scarf=0.06),
        imaging=Imaging(
            cast=(0.90, 1.03, 0.98), cast_spread=0.05, haze_colour=(0.6, 0.68, 0.66),
            saturation=(0.55, 0.8), gain=(0.75, 1.0), contrast=(0.75, 0.95), gamma=(1.0, 1.3),
            haze=(0.02, 0.10), resolution=(0.4, 0.65), blur=(0.3, 1.0), noise=(0.015, 0.035),
            jpeg=(40, 70), light=(0.3, 0.6), pitch=(0.25, 0.50), fit=(0.80, 0.92),
        ),
    ),
    SiteStyle(
        name="mall", scenes=("arcade",), occlusion=0.22, shift=0.05,
        wardrobe=Wardrobe("pastel", "casual", _uppers(0.3, 0.3, 0.18, 0.04, 0.1, 0.08),
                          _lowers(0.52, 0.12, 0.26, 0.1), _bags(0.35, 0.1, 0.25, 0.3)),
        imaging=Imaging(
            cast=(1.12, 1.0, 0.80), cast_spread=0.07, haze_colour=(1.0, 0.93, 0.8),
            saturation=(0.9, 1.15), gain=(1.05, 1.4), contrast=(0.9, 1.1), gamma=(0.75, 0.95),
            haze=(0.03, 0.12), resolution=(0.6, 0.9), blur=(0.0, 0.7), noise=(0.008, 0.02),
            jpeg=(60, 85), light=(0.25, 0.5), pitch=(0.15, 0.40), fit=(0.88, 0.98),
        ),
    ),
    SiteStyle(
        name="winter", scenes=("snow", "street"), occlusion=0.18, shift=0.07,
        wardrobe=Wardrobe("dark", "dark", _uppers(0.0, 0.1, 0.25, 0.45, 0.2, 0.0),
                          _lowers(0.85, 0.0, 0.05, 0.1), _bags(0.5, 0.25, 0.15, 0.1), scarf=0.35,
                          hats=(("none", 0.55), ("cap", 0.1), ("beanie", 0.35))),
        imaging=Imaging(
            cast=(0.92, 0.98, 1.14), cast_spread=0.05, haze_colour=(0.82, 0.88, 0.98),
            saturation=(0.6, 0.95), gain=(0.95, 1.25), contrast=(0.8, 1.05), gamma=(0.85, 1.1),
            haze=(0.08, 0.25), resolution=(0.5, 0.85), blur=(0.2, 0.9), noise=(0.01, 0.025),
            jpeg=(55, 80), light=(0.3, 0.7), pitch=(0.10, 0.30), fit=(0.82, 0.94),
        ),
    ),
    SiteStyle(
        name="night", scenes=("street",), occlusion=0.20, shift=0.07,
        wardrobe=Wardrobe("casual", "denim", _uppers(0.22, 0.25, 0.22, 0.08, 0.18, 0.05),
                          _lowers(0.7, 0.08, 0.12, 0.1), _bags(0.5, 0.2, 0.18, 0.12)),
        imaging=Imaging(
            cast=(1.14, 0.98, 0.76), cast_spread=0.12, haze_colour=(0.35, 0.28, 0.2),
            saturation=(0.5, 0.95), gain=(0.6, 0.95), contrast=(0.95, 1.3), gamma=(0.85, 1.15),
            haze=(0.0, 0.06), resolution=(0.45, 0.8), blur=(0.3, 1.0), noise=(0.02, 0.045),
            jpeg=(45, 75), light=(0.5, 1.1), pitch=(0.05, 0.35), fit=(0.84, 0.95),
        ),
    ),
    SiteStyle(
        name="plaza", scenes=("square", "street"), occlusion=0.20, shift=0.06,
        wardrobe=Wardrobe("casual", "casual", _uppers(0.32, 0.22, 0.2, 0.05, 0.14, 0.07),
                          _lowers(0.55, 0.18, 0.17, 0.1), _bags(0.45, 0.2, 0.2, 0.15),
                          hats=(("none", 0.82), ("cap", 0.10), ("sunhat", 0.04), ("beanie", 0.04))),
        imaging=Imaging(
            cast=(0.96, 0.95, 1.02), cast_spread=0.06, haze_colour=(0.7, 0.75, 0.8),
            saturation=(0.8, 1.1), gain=(0.7, 1.2), contrast=(1.15, 1.5), gamma=(0.9, 1.2),
            haze=(0.0, 0.04), resolution=(0.3, 0.55), blur=(0.2, 0.8), noise=(0.01, 0.02),
            jpeg=(30, 55), light=(0.6, 1.2), pitch=(0.30, 0.60), fit=(0.84, 0.95),
        ),
    ),
)  # fmt: skip

SITES: tuple[str, ...] = tuple(style.name for style in STYLES)
DISTANCES: Mapping[str, str] = {
    "": "near",
    "-step1": "step 1",
    "-step2": "step 2",
    "-step3": "step 3",
    "-far": "far",
}
"""Ending of a random site's name -> its style distance; near to far is divided equally."""
RANDOM_SITE = re.compile(rf"place-(?P<number>0|[1-9]\d{{0,3}})(?P<ending>{'|'.join(DISTANCES)})")
"""Names of sites with a sampled style, see `random_sites`."""
KNOWN_SITES = (
    f"{', '.join(SITES)}, or place-0 to place-9999, alone or with {', '.join(list(DISTANCES)[1:])}"
)

# Imaging fields whose range the gap does not move (the cast is moved as a power instead).
_FIXED_FIELDS = ("cast", "cast_spread", "haze_colour", "fit")


def site_index(site: str) -> int:
    """Return a site's key in random streams.

    The key of a listed site is its number among `SITES`. The numbers of random sites follow; all
    style distances of a site have one key.

    Raises:
        ValueError: The site does not exist.
    """
    if match := RANDOM_SITE.fullmatch(site):
        return len(SITES) + int(match["number"])
    if site not in SITES:
        raise ValueError(f"unknown site {site!r}; expected {KNOWN_SITES}")
    return SITES.index(site)


def is_site(name: str) -> bool:
    """Return whether a listed or a random site has this name."""
    return name in SITES or RANDOM_SITE.fullmatch(name) is not None


def style_distance(name: str) -> str:
    """Return the style distance of a random site, a value of DISTANCES; near for other names."""
    match = RANDOM_SITE.fullmatch(name)
    return DISTANCES[match["ending"]] if match else "near"


@cache
def site_style(site: str, gap: float) -> SiteStyle:
    """Return a site's style, with its imaging moved towards the mean of all sites.

    Every range moves by (1 - gap) of the way from its middle to the sites' mean middle and keeps
    its width; the colour cast c becomes c ** gap.

    Args:
        site: One of `SITES`.
        gap: In [0, 1]; 1 = the styles as listed, 0 = every site has the mean style.
    """
    style = STYLES[site_index(site)]
    changes: dict[str, Range] = {}
    for name in (field.name for field in fields(Imaging) if field.name not in _FIXED_FIELDS):
        middles = [sum(getattr(other.imaging, name)) / 2.0 for other in STYLES]
        low, high = getattr(style.imaging, name)
        # move = (1 - gap) * (mean of all middles - middle)
        move = (1.0 - gap) * (sum(middles) / len(middles) - (low + high) / 2.0)
        changes[name] = (max(0.0, low + move), high + move)
    red, green, blue = (channel**gap for channel in style.imaging.cast)
    return replace(style, imaging=replace(style.imaging, cast=(red, green, blue), **changes))
