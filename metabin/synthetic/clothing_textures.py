"""The texture atlas of a person: one texture per part, with garments, shoes and bag."""

from __future__ import annotations

import numpy as np

from metabin.synthetic.body_parts import Part
from metabin.synthetic.colour import Pixels, rgb
from metabin.synthetic.head_textures import head_cutouts, paint_head
from metabin.synthetic.identity import Person
from metabin.synthetic.surface_coordinates import Cutout
from metabin.synthetic.texture import (
    BACK,
    FRONT,
    SIDE,
    TEXTURE_SHAPE,
    U,
    V,
    low_noise,
    mix,
    paint,
    pattern_mask,
    plain,
)
from metabin.synthetic.upper_textures import paint_sleeves, paint_upper


def paint_atlas(person: Person, rng: np.random.Generator) -> Pixels:
    """Return all textures of a person, (num_parts, V, U, 3) float32 RGB in [0, 1].

    Args:
        person: Person whose clothes are painted.
        rng: Random generator for the unevenness of the cloth.
    """
    atlas = np.zeros((len(Part), *TEXTURE_SHAPE, 3), np.float32)
    paint_head(atlas, person)
    paint_upper(atlas, person)
    paint_sleeves(atlas, person)
    _paint_lower(atlas, person)
    _paint_shoes(atlas, person)
    _paint_bag(atlas, person)
    # texture * (1 + coarse noise + fine noise + folds), clipped to [0, 1]
    num_v, num_u = TEXTURE_SHAPE
    rough = low_noise(rng, (len(Part) * num_v, num_u), (6 * len(Part), 7), 0.05)
    rough += low_noise(rng, (len(Part) * num_v, num_u), (20 * len(Part), 32), 0.02)
    atlas *= (1 + rough.reshape(-1, num_v, num_u) + _FOLDS)[..., None]
    return np.clip(atlas, 0.0, 1.0, out=atlas)


def cutouts_of(person: Person) -> dict[int, Cutout]:
    """Return masks (V, U) of surfaces with openings: hair round the face, hats, flat soles."""
    return {**head_cutouts(person), Part.SHOE: V < 0.66}


def _folds(part: Part) -> Pixels:
    """Return the creases where cloth is bent: shading (V, U) around 0, a wave times a window."""
    if part in (Part.UPPER_ARM, Part.THIGH):  # towards the elbow or the knee
        window = np.clip(2.5 * V - 1.5, 0.0, 1.0)
        crease = 0.10 * np.sin(2.0 * np.pi * (5.0 * V + 1.5 * SIDE)) * window
    elif part in (Part.FOREARM, Part.CALF):  # from the elbow or the knee, and again on the shoe
        window = np.clip(1.0 - 3.0 * V, 0.0, 1.0) + 0.8 * np.clip(3.0 * V - 2.2, 0.0, 1.0)
        crease = 0.09 * np.sin(2.0 * np.pi * (6.0 * V - 1.2 * SIDE)) * window
    elif part == Part.TORSO:  # at the waist, and from the armpits
        waist = np.exp(-(((V - 0.72) / 0.13) ** 2))
        armpit = np.exp(-(((V - 0.30) / 0.12) ** 2 + ((FRONT - 0.19) / 0.05) ** 2))
        wave = np.sin(2.0 * np.pi * (7.0 * V + 2.0 * np.cos(4.0 * np.pi * U)))
        crease = 0.07 * wave * waist - 0.12 * armpit
    elif part in (Part.SKIRT, Part.TAIL):  # pleats that open downwards
        crease = 0.14 * np.sin(2.0 * np.pi * 13.0 * U + 1.5 * np.sin(5.0 * U)) * V
    else:
        crease = np.zeros(TEXTURE_SHAPE)
    return crease.astype(np.float32)


_FOLDS = np.stack([_folds(part) for part in Part])


def _paint_lower(atlas: Pixels, person: Person) -> None:
    """Paint pelvis with belt, legs and skirt; bare skin and socks below short garments."""
    main = rgb(person.lower_colour)
    trim = rgb(person.trim_colour)
    thigh, calf = _trouser_legs(person, main, trim)
    pelvis = plain(main) if person.lower_pattern == "knee" else thigh.copy()
    pockets = np.abs(np.abs(SIDE) - 0.13) + 0.35 * np.abs(V - 0.5) < 0.04
    paint(pelvis, pockets, main * 0.8)
    paint(pelvis, (FRONT < 0.006) & (V > 0.3), main * 0.7)  # fly
    paint(pelvis, V < 0.16, main * 0.5)  # belt
    atlas[Part.PELVIS] = pelvis
    atlas[Part.SKIRT] = main
    if person.lower_pattern == "checks":
        atlas[Part.SKIRT] = mix(main, trim, pattern_mask("checks", 5.0, 0.0))
    if person.lower_pattern in ("side", "knee"):
        paint(atlas[Part.SKIRT], V > 0.88, trim)  # hem
    # Thigh and calf may be one texture: copies, because each is cut off at its own length.
    atlas[Part.THIGH], atlas[Part.CALF] = _cut_legs(person, thigh.copy(), calf.copy())


def _trouser_legs(person: Person, main: Pixels, trim: Pixels) -> tuple[Pixels, Pixels]:
    """Return thigh and calf of full-length trousers."""
    thigh = plain(main)
    calf = plain(main)
    if person.lower_pattern == "side":
        for texture in (thigh, calf):
            paint(texture, np.abs(FRONT - 0.25) < 0.045, trim)
    elif person.lower_pattern == "checks":
        thigh = calf = mix(main, trim, pattern_mask("checks", 5.0, 0.0))
    elif person.lower_pattern == "knee":
        paint(thigh, V > 0.86, trim)
        paint(calf, V < 0.13, trim)
    elif person.lower_pattern == "fade":  # lighter front: 1 + 0.35 exp(-(side / 0.12)^2)
        thigh *= (1 + 0.35 * np.exp(-((SIDE / 0.12) ** 2)))[..., None].astype(np.float32)
    return thigh, calf


def _cut_legs(person: Person, thigh: Pixels, calf: Pixels) -> tuple[Pixels, Pixels]:
    """Paint the ends of the trouser legs in place, and skin, socks or boots below them."""
    main = rgb(person.lower_colour)
    skin = rgb(person.skin)
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
    return thigh, calf


def _paint_shoes(atlas: Pixels, person: Person) -> None:
    """Paint the ball of the shoe: toe at u = 0.5, heel at 0; the sole is the band above the cut."""
    colour = rgb(person.shoe_colour)
    sole = np.full(3, person.sole, np.float32)
    shoe = plain(colour)
    if person.shoe == "trainer":
        laces = (FRONT < 0.12) & (V < 0.42) & (V * 20.0 % 1.0 < 0.5)
        paint(shoe, laces, colour * 0.3 + 0.65)
        paint(shoe, np.abs(FRONT - 0.24 + 0.3 * (V - 0.45)) < 0.025, sole)  # stripe
        paint(shoe, (FRONT < 0.09) & (V > 0.47), colour * 0.8)  # toe cap
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
        clasp = (np.abs(FRONT - 0.25) < 0.02) & (np.abs(V - 0.40) < 0.05)
        paint(bag, V < 0.38, colour * 0.82)
        paint(bag, np.abs(V - 0.38) < 0.02, colour * 0.5)
        paint(bag, clasp, np.array([0.8, 0.7, 0.4]))
    atlas[Part.BAG] = bag
    atlas[Part.HANDLE] = colour * np.float32(0.6)
