"""Who a person is: attributes drawn from a site's wardrobe, and the kinship that makes hard negatives.

The identities of a site form a chain. With probability `twin`, identity i is a copy of identity
i - 1: a *tone twin* wears other shades of the same garments on another body; a *fine twin* wears the
same main clothes with a few fine attributes (shoes, bag, logo, hair...) redrawn.
"""

from dataclasses import dataclass, replace

import numpy as np

from .colour import HAIR_COLOURS, SKIN_TONES, Colour, clip01, pick_colour
from .places import style_of
from .settings import DrawSettings
from .sites import Wardrobe, site_index
from .streams import Stream, chance, generator, pick


@dataclass(frozen=True, slots=True)
class Person:
    """One identity. Proportions are factors around 1; colours are (hue, saturation, value)."""

    # body
    height: float
    build: float
    shoulder: float
    hip: float
    legs: float
    head: float
    gait: float
    # head
    skin: Colour
    hair_style: str
    hair_colour: Colour
    hairline: float  # moves the edge of the hair up (< 0) or down (> 0), in polar angle / pi
    hat: str
    hat_colour: Colour
    face: str
    mask_colour: Colour
    # upper garment
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
    # lower garment
    lower: str
    lower_colour: Colour
    trim_colour: Colour
    lower_pattern: str
    # shoes and bag
    shoe: str
    shoe_colour: Colour
    sole: float  # grey value
    sock_colour: Colour
    bag: str
    bag_colour: Colour
    bag_size: float


PATTERNS: dict[str, float] = {
    "plain": 0.34, "stripes": 0.13, "pinstripes": 0.07, "checks": 0.11, "dots": 0.06,
    "blocks": 0.10, "gradient": 0.05, "diagonals": 0.07, "band": 0.07,
}  # fmt: skip
LOWER_PATTERNS: dict[str, float] = {"plain": 0.58, "side": 0.12, "checks": 0.08, "knee": 0.08, "fade": 0.14}
LOGOS: dict[str, float] = {"none": 0.5, "disc": 0.13, "box": 0.13, "bar": 0.12, "back": 0.12}
HAIR_STYLES: dict[str, float] = {
    "short": 0.34, "crop": 0.10, "bob": 0.15, "long": 0.16, "bun": 0.08, "tail": 0.08, "curly": 0.05, "bald": 0.04,
}  # fmt: skip
FACES: dict[str, float] = {"none": 0.70, "mask": 0.10, "glasses": 0.12, "beard": 0.08}
SHOES: dict[str, float] = {"trainer": 0.55, "flat": 0.25, "boot": 0.20}
SKIN_WEIGHTS = (0.12, 0.20, 0.22, 0.18, 0.12, 0.10, 0.06)

FINE_CHANGES: dict[str, tuple[str, ...]] = {
    # what a fine twin may change: the attribute that must differ first, then what changes with it
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


def person_of(settings: DrawSettings, site: str, pid: int) -> Person:
    """The identity with number pid (1-based) at a site.

    Walks back to the nearest identity that copies nobody, then forward again through its copies,
    so that the answer depends on (settings, site, pid) only.
    """
    first = pid
    while first > 1 and _is_copy(settings, site, first):
        first -= 1
    person = _fresh_person(settings, site, first)
    for copy in range(first + 1, pid + 1):
        person = _copied(settings, site, copy, person)
    return person


def _kinship_rng(settings: DrawSettings, site: str, pid: int) -> np.random.Generator:
    return generator(settings.seed, Stream.KINSHIP, site_index(site), pid)


def _is_copy(settings: DrawSettings, site: str, pid: int) -> bool:
    return chance(_kinship_rng(settings, site, pid), settings.twin)


def _copied(settings: DrawSettings, site: str, pid: int, previous: Person) -> Person:
    rng = _kinship_rng(settings, site, pid)
    rng.random()  # the draw that made this identity a copy
    fresh = _fresh_person(settings, site, pid)
    if chance(rng, settings.tone):
        return tone_twin(rng, previous, fresh)
    fewest, most = settings.num_changes
    return fine_twin(rng, previous, fresh, num_changes=int(rng.integers(fewest, most + 1)))


def _fresh_person(settings: DrawSettings, site: str, pid: int) -> Person:
    rng = generator(settings.seed, Stream.PERSON, site_index(site), pid)
    return draw_person(rng, style_of(settings, site).wardrobe)


def tone_twin(rng: np.random.Generator, base: Person, fresh: Person) -> Person:
    """Another body in the same garments of other shades: what full instance norm tends to wash out."""
    return replace(
        base,
        upper_colour=_other_shade(rng, base.upper_colour, hue_spread=0.06),
        lower_colour=_other_shade(rng, base.lower_colour, hue_spread=0.05),
        **{name: getattr(fresh, name) for name in (*_BODY, "skin", "hair_colour", "height", "build")},
    )


def fine_twin(rng: np.random.Generator, base: Person, fresh: Person, *, num_changes: int) -> Person:
    """Another body in the same main clothes, with `num_changes` of `FINE_CHANGES` taken from `fresh`."""
    copied: list[str] = []
    num_done = 0
    for label in rng.permutation(list(FINE_CHANGES)):
        names = FINE_CHANGES[str(label)]
        if num_done < num_changes and getattr(base, names[0]) != getattr(fresh, names[0]):
            copied.extend(names)
            num_done += 1
    hue, saturation, value = base.upper_colour
    worn = (
        hue + float(rng.normal(0.0, 0.01)),
        clip01(saturation + float(rng.normal(0.0, 0.03))),
        clip01(value + float(rng.normal(0.0, 0.03))),
    )
    taken = {name: getattr(fresh, name) for name in (*copied, *_BODY, "skin")}
    return replace(base, upper_colour=worn, **taken)


_BODY = ("shoulder", "hip", "legs", "head", "gait")
"""Proportions that no copy shares: twins wear the same, but are not the same person."""


def _other_shade(rng: np.random.Generator, colour: Colour, *, hue_spread: float) -> Colour:
    hue, saturation, value = colour
    step = float(rng.uniform(0.14, 0.30)) * (1.0 if value < 0.5 else -1.0)
    moved = value + (step if chance(rng, 0.75) else 0.0)
    return (
        hue + float(rng.normal(0.0, hue_spread)),
        clip01(saturation + float(rng.normal(0.0, 0.12))),
        max(0.05, min(1.0, moved)),
    )


def draw_person(rng: np.random.Generator, wardrobe: Wardrobe) -> Person:
    """A new identity that wears what a site's wardrobe offers."""
    hair_colours = [colour for colour, _ in HAIR_COLOURS]
    hair_weights = np.array([weight for _, weight in HAIR_COLOURS])

    def factor(spread: float, low: float, high: float) -> float:
        return float(np.clip(rng.normal(1.0, spread), low, high))

    return Person(
        height=factor(0.055, 0.84, 1.14),
        build=factor(0.16, 0.72, 1.5),
        shoulder=factor(0.08, 0.82, 1.2),
        hip=factor(0.10, 0.8, 1.3),
        legs=factor(0.04, 0.9, 1.1),
        head=factor(0.05, 0.88, 1.14),
        gait=float(rng.uniform(0.75, 1.2)),
        skin=SKIN_TONES[int(rng.choice(len(SKIN_TONES), p=SKIN_WEIGHTS))],
        hair_style=pick(rng, HAIR_STYLES),
        hair_colour=hair_colours[int(rng.choice(len(hair_colours), p=hair_weights / hair_weights.sum()))],
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
