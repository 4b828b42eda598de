"""The texture atlas: what a person's garments, shoes and bag look like, part by part."""

import numpy as np

from .colour import Pixels, rgb
from .figure import Part
from .head import head_cutouts, paint_head
from .identity import Person
from .raster import Cutout
from .texture import BACK, FRONT, SIDE, TEXTURE_SHAPE, U, V, low_noise, mix, paint, pattern_mask, plain

_ALONG_LIMBS = ("stripes", "checks", "dots", "diagonals")
"""Patterns that go on over the sleeves and the tail of a coat; the others are for the trunk only."""


def draw_atlas(person: Person, rng: np.random.Generator) -> Pixels:
    """All textures of a person, (num_parts, V, U, 3) float32 RGB in [0, 1].

    Args:
        person: whose clothes.
        rng: draws the unevenness of the cloth.
    """
    atlas = np.zeros((len(Part), *TEXTURE_SHAPE, 3), np.float32)
    paint_head(atlas, person)
    _paint_upper(atlas, person)
    _paint_sleeves(atlas, person)
    _paint_lower(atlas, person)
    _paint_shoes(atlas, person)
    _paint_bag(atlas, person)
    num_v, num_u = TEXTURE_SHAPE
    rough = low_noise(rng, (len(Part) * num_v, num_u), (6 * len(Part), 7), 0.05)
    rough += low_noise(rng, (len(Part) * num_v, num_u), (20 * len(Part), 32), 0.02)
    atlas *= (1 + rough.reshape(-1, num_v, num_u) + _FOLDS)[..., None]
    return np.clip(atlas, 0.0, 1.0, out=atlas)


def cutouts_of(person: Person) -> dict[int, Cutout]:
    """Where surfaces with openings exist: hair round the face, hats, shoes with flat soles."""
    return {**head_cutouts(person), Part.SHOE: V < 0.66}


def _folds(part: Part) -> Pixels:
    """Creases where cloth is bent: shading (V, U) around 0."""
    if part in (Part.UPPER_ARM, Part.THIGH):  # gathers towards the elbow or the knee
        crease = 0.10 * np.sin(2.0 * np.pi * (5.0 * V + 1.5 * SIDE)) * np.clip(2.5 * V - 1.5, 0.0, 1.0)
    elif part in (Part.FOREARM, Part.CALF):  # and from it, and again on the shoe
        wrinkles = np.clip(1.0 - 3.0 * V, 0.0, 1.0) + 0.8 * np.clip(3.0 * V - 2.2, 0.0, 1.0)
        crease = 0.09 * np.sin(2.0 * np.pi * (6.0 * V - 1.2 * SIDE)) * wrinkles
    elif part == Part.TORSO:  # drawn in at the waist, pulled from the armpits
        waist = np.exp(-(((V - 0.72) / 0.13) ** 2))
        armpit = np.exp(-(((V - 0.30) / 0.12) ** 2 + ((FRONT - 0.19) / 0.05) ** 2))
        crease = 0.07 * np.sin(2.0 * np.pi * (7.0 * V + 2.0 * np.cos(4.0 * np.pi * U))) * waist - 0.12 * armpit
    elif part in (Part.SKIRT, Part.TAIL):  # hangs in pleats that open downwards
        crease = 0.14 * np.sin(2.0 * np.pi * 13.0 * U + 1.5 * np.sin(5.0 * U)) * V
    else:
        crease = np.zeros(TEXTURE_SHAPE)
    return crease.astype(np.float32)


_FOLDS = np.stack([_folds(part) for part in Part])


def _paint_upper(atlas: Pixels, person: Person) -> None:
    """Trunk: pattern, logo, cut, scarf's shadow, straps; and hood, scarf and coat tail."""
    main, second = rgb(person.upper_colour), rgb(person.second_colour)
    torso = mix(main, second, pattern_mask(person.pattern, person.pattern_rate, person.pattern_phase))
    _paint_logo(torso, person)
    _paint_cut(torso, person)
    _paint_straps(torso, person)
    torso *= (1 - 0.20 * (V[..., None] > 0.965)).astype(np.float32)  # seam of the hem
    atlas[Part.TORSO] = torso
    on_tail = pattern_mask(person.pattern, person.pattern_rate, person.pattern_phase + 0.3)
    atlas[Part.TAIL] = mix(main, second, on_tail) if person.pattern in _ALONG_LIMBS else plain(torso[-1, 0])
    paint(atlas[Part.TAIL], FRONT < 0.010 + 0.03 * V, main * 0.45)
    atlas[Part.HOOD] = main * np.float32(0.82)
    if person.scarf_colour is not None:
        scarf = rgb(person.scarf_colour)
        atlas[Part.SCARF] = mix(scarf, scarf * np.float32(0.75), 1.0 * (V * 6.0 % 1.0 < 0.5))


def _paint_logo(torso: Pixels, person: Person) -> None:
    size, place, colour = person.logo_size, person.logo_place, rgb(person.logo_colour)
    height = np.abs(V - place)
    if person.logo == "disc":
        ring = (2.0 * SIDE) ** 2 + (V - place) ** 2
        paint(torso, ring < size**2, colour)
        paint(torso, ring < (0.45 * size) ** 2, rgb(person.upper_colour))
    elif person.logo == "box":
        paint(torso, (0.6 * size > FRONT) & (height < size), colour)
    elif person.logo == "bar":
        paint(torso, (FRONT < 0.2) & (height < 0.35 * size), colour)
    elif person.logo == "back":
        paint(torso, (0.8 * size > BACK) & (height < 1.2 * size), colour)


def _paint_cut(torso: Pixels, person: Person) -> None:
    """What the front of the garment shows: openings, zips, buttons, pockets, necklines."""
    main, inner, skin = rgb(person.upper_colour), rgb(person.inner_colour), rgb(person.skin)
    if person.upper in ("open", "coat"):
        opening = 0.075 * (1.0 - 0.3 * V) if person.upper == "open" else 0.065 * np.clip(1.0 - 2.6 * V, 0.0, 1.0)
        paint(torso, opening > FRONT, inner)
        paint(torso, (opening <= FRONT) & (opening + 0.025 > FRONT) & (V < 0.45), main * 0.72)  # lapel
        if person.upper == "coat":
            paint(torso, (FRONT < 0.008) & (V > 0.38), main * 0.5)
            paint(torso, (np.abs(FRONT - 0.035) < 0.011) & (V * 7.0 % 1.0 < 0.28) & (V > 0.38), main * 0.35 + 0.1)
        else:
            paint(torso, (FRONT < 0.05) & (V < 0.13), skin * 0.95)
    elif person.upper == "hoodie":
        paint(torso, FRONT < 0.010, main * 0.55)
        paint(torso, (np.abs(V - 0.76) < 0.10) & (FRONT < 0.13) & (FRONT > 0.02), main * 0.82)
        paint(torso, (np.abs(FRONT - 0.025) < 0.009) & (V < 0.32) & (V > 0.08), main * 0.3 + 0.6)  # strings
    elif person.upper == "shirt":
        paint(torso, (V < 0.09) & (FRONT < 0.22), main * 0.35 + 0.6)  # collar
        paint(torso, (FRONT < 0.035 - 0.25 * V), skin)
        paint(torso, (FRONT < 0.009) & (V * 9.0 % 1.0 < 0.4) & (V > 0.14), main * 0.55)
        paint(torso, (np.abs(SIDE - 0.09) < 0.035) & (np.abs(V - 0.36) < 0.06), main * 0.86)
    elif person.upper == "tank":
        paint(torso, (V < 0.15) & (np.abs(FRONT - 0.12) > 0.035) & (np.abs(BACK - 0.12) > 0.035), skin)
        paint(torso, (V < 0.30) & (np.abs(FRONT - 0.25) < 0.055), skin)
    else:
        paint(torso, 0.07 + 0.06 * np.clip(1.0 - FRONT / 0.09, 0.0, 1.0) > V, skin * 0.97)
        paint(torso, (0.095 + 0.06 * np.clip(1.0 - FRONT / 0.09, 0.0, 1.0) > V)
              & (0.07 + 0.06 * np.clip(1.0 - FRONT / 0.09, 0.0, 1.0) <= V), main * 0.75)  # fmt: skip


def _paint_straps(torso: Pixels, person: Person) -> None:
    strap = rgb(person.bag_colour) * np.float32(0.75)
    if person.bag == "backpack":
        paint(torso, (np.abs(FRONT - 0.115 - 0.03 * V) < 0.020) & (V > 0.05) & (V < 0.55), strap)
        paint(torso, (np.abs(V - 0.34) < 0.014) & (FRONT < 0.115), strap * 0.9)
    elif person.bag == "shoulder":  # from the left shoulder to the right hip, on both sides of the body
        from_left = 0.5 * (1.0 + np.sin(2.0 * np.pi * (U - 0.25 - 0.25)))
        paint(torso, (np.abs(1.0 - from_left - V * 1.02 + 0.04) < 0.05) & (V > 0.04), strap)


def _paint_sleeves(atlas: Pixels, person: Person) -> None:
    main, skin = rgb(person.upper_colour), rgb(person.skin)
    if person.sleeve_colour is not None:
        upper = forearm = plain(rgb(person.sleeve_colour))
    elif person.pattern in _ALONG_LIMBS:
        on_arm = pattern_mask(person.pattern, 0.6 * person.pattern_rate, person.pattern_phase)
        upper = forearm = mix(main, rgb(person.second_colour), on_arm)
    else:
        upper = forearm = plain(main)
    upper, forearm = upper.copy(), forearm.copy()
    shoulder = upper.copy()
    if person.upper == "tee":
        paint(upper, V > 0.68, skin)
        paint(upper, (V > 0.62) & (V <= 0.68), upper[0, 0] * 0.8)
        forearm = plain(skin)
    elif person.upper == "tank":
        shoulder, upper, forearm = plain(skin), plain(skin), plain(skin)
    else:
        paint(forearm, V > 0.92, forearm[0, 0] * 0.72)
    atlas[Part.SHOULDER], atlas[Part.UPPER_ARM], atlas[Part.FOREARM] = shoulder, upper, forearm
    atlas[Part.HAND] = skin
    fingers = (V > 0.6) & (U * 16.0 % 1.0 < 0.3)
    paint(atlas[Part.HAND], fingers, skin * 0.82)


def _paint_lower(atlas: Pixels, person: Person) -> None:
    """Pelvis with its belt, legs, and a skirt; bare skin and socks below what is short."""
    main, trim, skin = rgb(person.lower_colour), rgb(person.trim_colour), rgb(person.skin)
    thigh, calf = plain(main), plain(main)
    if person.lower_pattern == "side":
        for texture in (thigh, calf):
            paint(texture, np.abs(FRONT - 0.25) < 0.045, trim)
    elif person.lower_pattern == "checks":
        thigh = calf = mix(main, trim, pattern_mask("checks", 5.0, 0.0))
    elif person.lower_pattern == "knee":
        paint(thigh, V > 0.86, trim)
        paint(calf, V < 0.13, trim)
    elif person.lower_pattern == "fade":
        thigh *= (1 + 0.35 * np.exp(-((SIDE / 0.12) ** 2)))[..., None].astype(np.float32)
    pelvis = plain(main) if person.lower_pattern == "knee" else thigh.copy()
    paint(pelvis, np.abs(np.abs(SIDE) - 0.13) + 0.35 * np.abs(V - 0.5) < 0.04, main * 0.8)  # pockets
    paint(pelvis, (FRONT < 0.006) & (V > 0.3), main * 0.7)
    paint(pelvis, V < 0.16, main * 0.5)
    thigh, calf = thigh.copy(), calf.copy()
    atlas[Part.SKIRT] = mix(main, trim, pattern_mask("checks", 5.0, 0.0)) if person.lower_pattern == "checks" else main
    if person.lower_pattern in ("side", "knee"):
        paint(atlas[Part.SKIRT], V > 0.88, trim)
    if person.lower == "shorts":
        paint(thigh, V > 0.80, skin)
        paint(thigh, (V > 0.75) & (V <= 0.80), main * 0.75)
    if person.lower == "skirt":
        thigh = plain(skin)
    if person.lower in ("shorts", "skirt"):
        calf = plain(skin)
        paint(calf, V > 0.80, rgb(person.sock_colour))
    elif person.lower == "trousers":
        paint(calf, V > 0.95, main * 0.7)
    if person.shoe == "boot" and person.lower != "trousers":
        paint(calf, V > 0.55, rgb(person.shoe_colour))
    atlas[Part.PELVIS], atlas[Part.THIGH], atlas[Part.CALF] = pelvis, thigh, calf


def _paint_shoes(atlas: Pixels, person: Person) -> None:
    """The shoe's ball: toe at u = 0.5, heel at 0; the sole is the band above the cut."""
    colour, sole = rgb(person.shoe_colour), np.full(3, person.sole, np.float32)
    shoe = plain(colour)
    if person.shoe == "trainer":
        paint(shoe, (FRONT < 0.12) & (V < 0.42) & (V * 20.0 % 1.0 < 0.5), colour * 0.3 + 0.65)  # laces
        paint(shoe, np.abs(FRONT - 0.24 + 0.3 * (V - 0.45)) < 0.025, sole)
        paint(shoe, (FRONT < 0.09) & (V > 0.47), colour * 0.8)
    elif person.shoe == "flat":
        paint(shoe, (FRONT < 0.10) & (V < 0.40), rgb(person.sock_colour))
    else:
        paint(shoe, (FRONT < 0.02) & (V < 0.4), colour * 0.5)
    paint(shoe, (0.56 if person.shoe == "trainer" else 0.60) < V, sole)
    atlas[Part.SHOE] = shoe


def _paint_bag(atlas: Pixels, person: Person) -> None:
    colour = rgb(person.bag_colour)
    bag = plain(colour)
    if person.bag == "backpack":  # a pocket with a zip, seen from behind
        paint(bag, (BACK < 0.16) & (V > 0.52) & (V < 0.92), colour * 0.85)
        paint(bag, (BACK < 0.16) & (np.abs(V - 0.52) < 0.015), colour * 0.4 + 0.3)
        paint(bag, V < 0.10, colour * 0.7)
        paint(bag, (BACK < 0.03) & (np.abs(V - 0.30) < 0.05), colour * 0.3 + 0.6)
    else:  # a flap with a clasp
        paint(bag, V < 0.38, colour * 0.82)
        paint(bag, np.abs(V - 0.38) < 0.02, colour * 0.5)
        paint(bag, (np.abs(FRONT - 0.25) < 0.02) & (np.abs(V - 0.40) < 0.05), np.array([0.8, 0.7, 0.4]))
    atlas[Part.BAG] = bag
    atlas[Part.HANDLE] = colour * np.float32(0.6)
