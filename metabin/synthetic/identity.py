"""Identities: attributes sampled from a site's wardrobe, and the twins that make hard negatives.

The identities of a site form a chain. With probability `twin`, identity i is a copy of identity
i - 1: a *tone twin* wears other shades of the same garments on another body; a *fine twin* wears
the same main clothes with a few fine attributes (shoes, bag, logo, hair...) sampled again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metabin.synthetic.colour import HAIR_COLOURS, SKIN_TONES, Colour, clip01, pick_colour
from metabin.synthetic.random_sites import style_of
from metabin.synthetic.random_streams import Stream, chance, generator, pick
from metabin.synthetic.settings import RenderSettings
from metabin.synthetic.sites import Wardrobe, site_index


@dataclass(frozen=True, slots=True)
class Person:
    """One identity. Proportions are factors around 1; colours are (hue, saturation, value)."""

    # Body
    height: float
    build: float
    shoulder: float
    hip: float
    legs: float
    head: float
    gait: float
    # Head
    skin: Colour
    hair_style: str
    hair_colour: Colour
    hairline: float  # moves the edge of the hair up (< 0) or down (> 0), in polar angle / pi
    hat: str
    hat_colour: Colour
    face: str
    mask_colour: Colour
    # Upper garment
    upper: str
    upper_colour: Colour
    second_colour: Colour
    inner_colour: Colour
    pattern: str
    pattern_rate: float  # repeats along the garment
    pattern_phase: float
    logo: str
    logo_colour: Colour
    logo_place: float
    logo_size: float
    sleeve_colour: Colour | None  # None: as the garment
    hem: float  # where the garment ends, as a share of the trunk below the waist, in [0, 1]
    scarf_colour: Colour | None  # None: no scarf
    # Lower garment
    lower: str
    lower_colour: Colour
    trim_colour: Colour
    lower_pattern: str
    # Shoes and bag
    shoe: str
    shoe_colour: Colour
    sole: float  # grey value
    sock_colour: Colour
    bag: str
    bag_colour: Colour
    bag_size: float


# Weights of the random choices.
PATTERNS: dict[str, float] = {
    "plain": 0.34,
    "stripes": 0.13,
    "pinstripes": 0.07,
    "checks": 0.11,
    "dots": 0.06,
    "blocks": 0.10,
    "gradient": 0.05,
    "diagonals": 0.07,
    "band": 0.07,
}
LOWER_PATTERNS: dict[str, float] = {
    "plain": 0.58,
    "side": 0.12,
    "checks": 0.08,
    "knee": 0.08,
    "fade": 0.14,
}
LOGOS: dict[str, float] = {"none": 0.5, "disc": 0.13, "box": 0.13, "bar": 0.12, "back": 0.12}
HAIR_STYLES: dict[str, float] = {
    "short": 0.34,
    "crop": 0.10,
    "bob": 0.15,
    "long": 0.16,
    "bun": 0.08,
    "tail": 0.08,
    "curly": 0.05,
    "bald": 0.04,
}
FACES: dict[str, float] = {"none": 0.70, "mask": 0.10, "glasses": 0.12, "beard": 0.08}
SHOES: dict[str, float] = {"trainer": 0.55, "flat": 0.25, "boot": 0.20}
SKIN_WEIGHTS = (0.12, 0.20, 0.22, 0.18, 0.12, 0.10, 0.06)

# Groups of attributes that a fine twin may change: the leading attribute, which must differ, then
# the attributes that change with it.
FINE_CHANGES: dict[str, tuple[str, ...]] = {
    "shoes": ("shoe_colour", "shoe", "sole", "sock_colour"),
    "bag": ("bag", "bag_colour", "bag_size"),
    "bag colour": ("bag_colour",),
    "hair style": ("hair_style", "hairline"),
    "hair colour": ("hair_colour",),
    "hat": ("hat", "hat_colour"),
    "face": ("face", "mask_colour"),
    "pattern": ("pattern", "pattern_rate", "pattern_phase"),
    "second colour": ("second_colour",),
    "inner colour": ("inner_colour",),
    "logo": ("logo", "logo_colour", "logo_place", "logo_size"),
    "sleeves": ("sleeve_colour",),
    "lower cut": ("lower",),
    "lower pattern": ("lower_pattern", "trim_colour"),
    "build": ("build",),
    "height": ("height",),
}


# Proportions that no copy shares: twins wear the same clothes, but have different bodies.
_BODY = ("shoulder", "hip", "legs", "head", "gait")


def person_of(settings: RenderSettings, site: str, pid: int) -> Person:
    """Return the identity with number pid (1-based) at a site.

    Goes back to the nearest identity that is no copy, then forward through its copies, so that the
    result depends on (settings, site, pid) only.
    """
    first = pid
    while first > 1 and _is_copy(settings, site, first):
        first -= 1
    person = _new_person(settings, site, first)
    for copy in range(first + 1, pid + 1):
        person = _copied(settings, site, copy, person)
    return person


def _kinship_rng(settings: RenderSettings, site: str, pid: int) -> np.random.Generator:
    return generator(settings.seed, Stream.KINSHIP, site_index(site), pid)


def _is_copy(settings: RenderSettings, site: str, pid: int) -> bool:
    return chance(_kinship_rng(settings, site, pid), settings.twin)


def _copied(settings: RenderSettings, site: str, pid: int, previous: Person) -> Person:
    rng = _kinship_rng(settings, site, pid)
    rng.random()  # skip the number that `_is_copy` uses
    new = _new_person(settings, site, pid)
    if chance(rng, settings.tone):
        return tone_twin(rng, previous, new)
    fewest, most = settings.num_changes
    return fine_twin(rng, previous, new, num_changes=int(rng.integers(fewest, most + 1)))


def _new_person(settings: RenderSettings, site: str, pid: int) -> Person:
    rng = generator(settings.seed, Stream.PERSON, site_index(site), pid)
    return sample_person(rng, style_of(settings, site).wardrobe)


def tone_twin(rng: np.random.Generator, base: Person, new: Person) -> Person:
    """Return another body in the same garments of other shades.

    Full instance normalisation tends to remove the differences between such twins.
    """
    return replace(
        base,
        upper_colour=_other_shade(rng, base.upper_colour, hue_spread=0.06),
        lower_colour=_other_shade(rng, base.lower_colour, hue_spread=0.05),
        **{name: getattr(new, name) for name in (*_BODY, "skin", "hair_colour", "height", "build")},
    )


def fine_twin(rng: np.random.Generator, base: Person, new: Person, *, num_changes: int) -> Person:
    """Return another body in the same main clothes, with some attributes of `new`.

    Args:
        rng: Random generator.
        base: The identity whose clothes are copied.
        new: The identity whose body is copied.
        num_changes: Number of groups of `FINE_CHANGES` that are copied from `new`.
    """
    names_to_copy: list[str] = []
    num_done = 0
    for label in rng.permutation(list(FINE_CHANGES)):
        names = FINE_CHANGES[str(label)]
        if num_done < num_changes and getattr(base, names[0]) != getattr(new, names[0]):
            names_to_copy.extend(names)
            num_done += 1
    hue, saturation, value = base.upper_colour
    # The main garment keeps its colour up to small deviations.
    upper_colour = (
        hue + float(rng.normal(0.0, 0.01)),
        clip01(saturation + float(rng.normal(0.0, 0.03))),
        clip01(value + float(rng.normal(0.0, 0.03))),
    )
    changes = {name: getattr(new, name) for name in (*names_to_copy, *_BODY, "skin")}
    return replace(base, upper_colour=upper_colour, **changes)


def _other_shade(rng: np.random.Generator, colour: Colour, *, hue_spread: float) -> Colour:
    hue, saturation, value = colour
    # In 75 % of cases dark colours become lighter, light ones darker: value +- uniform(0.14, 0.30).
    step = float(rng.uniform(0.14, 0.30)) * (1.0 if value < 0.5 else -1.0)
    moved = value + (step if chance(rng, 0.75) else 0.0)
    return (
        hue + float(rng.normal(0.0, hue_spread)),
        clip01(saturation + float(rng.normal(0.0, 0.12))),
        max(0.05, min(1.0, moved)),
    )


def _factor(rng: np.random.Generator, spread: float, low: float, high: float) -> float:
    """Sample a factor: normal(1, spread), clipped to [low, high]."""
    return float(np.clip(rng.normal(1.0, spread), low, high))


def _hair_colour(rng: np.random.Generator) -> Colour:
    weights = np.array([weight for _, weight in HAIR_COLOURS])
    return HAIR_COLOURS[int(rng.choice(len(HAIR_COLOURS), p=weights / weights.sum()))][0]


def sample_person(rng: np.random.Generator, wardrobe: Wardrobe) -> Person:
    """Sample a new identity that wears clothes of a site's wardrobe."""
    return Person(
        height=_factor(rng, 0.055, 0.84, 1.14),
        build=_factor(rng, 0.16, 0.72, 1.5),
        shoulder=_factor(rng, 0.08, 0.82, 1.2),
        hip=_factor(rng, 0.10, 0.8, 1.3),
        legs=_factor(rng, 0.04, 0.9, 1.1),
        head=_factor(rng, 0.05, 0.88, 1.14),
        gait=float(rng.uniform(0.75, 1.2)),
        skin=SKIN_TONES[int(rng.choice(len(SKIN_TONES), p=SKIN_WEIGHTS))],
        hair_style=pick(rng, HAIR_STYLES),
        hair_colour=_hair_colour(rng),
        hairline=float(rng.uniform(-0.05, 0.04)),
        hat=pick(rng, dict(wardrobe.hats)),
        hat_colour=pick_colour(rng, wardrobe.upper_palette),
        face=pick(rng, FACES),
        mask_colour=(0.56, 0.25, 0.9) if chance(rng, 0.6) else (0.0, 0.0, 0.08),
        upper=pick(rng, dict(wardrobe.uppers)),
        upper_colour=pick_colour(rng, wardrobe.upper_palette),
        second_colour=pick_colour(rng, wardrobe.upper_palette),
        inner_colour=pick_colour(rng, wardrobe.upper_palette),
        pattern=pick(rng, PATTERNS),
        pattern_rate=float(rng.uniform(2.5, 7.0)),
        pattern_phase=float(rng.uniform(0.0, 1.0)),
        logo=pick(rng, LOGOS),
        logo_colour=pick_colour(rng, wardrobe.upper_palette),
        logo_place=float(rng.uniform(0.28, 0.5)),
        logo_size=float(rng.uniform(0.07, 0.13)),
        sleeve_colour=pick_colour(rng, wardrobe.upper_palette) if chance(rng, 0.22) else None,
        hem=float(rng.uniform(0.0, 1.0)),
        scarf_colour=pick_colour(rng, "bright") if chance(rng, wardrobe.scarf) else None,
        lower=pick(rng, dict(wardrobe.lowers)),
        lower_colour=pick_colour(rng, wardrobe.lower_palette),
        trim_colour=pick_colour(rng, wardrobe.lower_palette),
        lower_pattern=pick(rng, LOWER_PATTERNS),
        shoe=pick(rng, SHOES),
        shoe_colour=pick_colour(rng, "casual"),
        sole=float(rng.choice([0.1, 0.5, 0.95])),
        sock_colour=pick_colour(rng, "casual"),
        bag=pick(rng, dict(wardrobe.bags)),
        bag_colour=pick_colour(rng, "casual"),
        bag_size=float(rng.uniform(0.8, 1.25)),
    )
