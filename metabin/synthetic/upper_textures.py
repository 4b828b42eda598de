"""Textures of the upper garment: trunk, sleeves, hood, scarf and coat tail."""

from __future__ import annotations

import numpy as np

from metabin.synthetic.body_parts import Part
from metabin.synthetic.colour import Pixels, rgb
from metabin.synthetic.identity import Person
from metabin.synthetic.texture import BACK, FRONT, SIDE, U, V, mix, paint, pattern_mask, plain

# Patterns that continue over the sleeves and the tail of a coat; the others are for the trunk only.
_ALONG_LIMBS = ("stripes", "checks", "dots", "diagonals")


def paint_upper(atlas: Pixels, person: Person) -> None:
    """Paint the trunk (pattern, logo, cut, straps), the hood, the scarf and the coat tail."""
    main = rgb(person.upper_colour)
    second = rgb(person.second_colour)
    on_trunk = pattern_mask(person.pattern, person.pattern_rate, person.pattern_phase)
    torso = mix(main, second, on_trunk)
    _paint_logo(torso, person)
    _paint_cut(torso, person)
    _paint_straps(torso, person)
    torso *= (1 - 0.20 * (V[..., None] > 0.965)).astype(np.float32)  # seam of the hem
    atlas[Part.TORSO] = torso
    if person.pattern in _ALONG_LIMBS:
        on_tail = pattern_mask(person.pattern, person.pattern_rate, person.pattern_phase + 0.3)
        atlas[Part.TAIL] = mix(main, second, on_tail)
    else:
        atlas[Part.TAIL] = plain(torso[-1, 0])
    paint(atlas[Part.TAIL], FRONT < 0.010 + 0.03 * V, main * 0.45)  # front opening
    atlas[Part.HOOD] = main * np.float32(0.82)
    if person.scarf_colour is not None:
        scarf = rgb(person.scarf_colour)
        rings = 1.0 * (V * 6.0 % 1.0 < 0.5)
        atlas[Part.SCARF] = mix(scarf, scarf * np.float32(0.75), rings)


def _paint_logo(torso: Pixels, person: Person) -> None:
    size = person.logo_size
    place = person.logo_place
    colour = rgb(person.logo_colour)
    height = np.abs(V - place)
    if person.logo == "disc":
        ring = (2.0 * SIDE) ** 2 + (V - place) ** 2  # squared distance from the centre
        paint(torso, ring < size**2, colour)
        paint(torso, ring < (0.45 * size) ** 2, rgb(person.upper_colour))
    elif person.logo == "box":
        paint(torso, (0.6 * size > FRONT) & (height < size), colour)
    elif person.logo == "bar":
        paint(torso, (FRONT < 0.2) & (height < 0.35 * size), colour)
    elif person.logo == "back":
        paint(torso, (0.8 * size > BACK) & (height < 1.2 * size), colour)


def _paint_cut(torso: Pixels, person: Person) -> None:
    """Paint the front of the garment: openings, zips, buttons, pockets, necklines."""
    main = rgb(person.upper_colour)
    skin = rgb(person.skin)
    if person.upper in ("open", "coat"):
        _paint_opening(torso, person, main, skin)
    elif person.upper == "hoodie":
        pocket = (np.abs(V - 0.76) < 0.10) & (FRONT < 0.13) & (FRONT > 0.02)
        strings = (np.abs(FRONT - 0.025) < 0.009) & (V < 0.32) & (V > 0.08)
        paint(torso, FRONT < 0.010, main * 0.55)  # zip
        paint(torso, pocket, main * 0.82)
        paint(torso, strings, main * 0.3 + 0.6)
    elif person.upper == "shirt":
        buttons = (FRONT < 0.009) & (V * 9.0 % 1.0 < 0.4) & (V > 0.14)
        pocket = (np.abs(SIDE - 0.09) < 0.035) & (np.abs(V - 0.36) < 0.06)
        paint(torso, (V < 0.09) & (FRONT < 0.22), main * 0.35 + 0.6)  # collar
        paint(torso, (FRONT < 0.035 - 0.25 * V), skin)
        paint(torso, buttons, main * 0.55)
        paint(torso, pocket, main * 0.86)
    elif person.upper == "tank":
        beside_straps = (np.abs(FRONT - 0.12) > 0.035) & (np.abs(BACK - 0.12) > 0.035)
        paint(torso, (V < 0.15) & beside_straps, skin)
        paint(torso, (V < 0.30) & (np.abs(FRONT - 0.25) < 0.055), skin)  # arm holes
    else:
        neckline = 0.06 * np.clip(1.0 - FRONT / 0.09, 0.0, 1.0)  # deepest at the front midline
        hem = (0.095 + neckline > V) & (0.07 + neckline <= V)
        paint(torso, 0.07 + neckline > V, skin * 0.97)
        paint(torso, hem, main * 0.75)


def _paint_opening(torso: Pixels, person: Person, main: Pixels, skin: Pixels) -> None:
    """Paint the front of an open jacket or of a coat, with lapels and the garment below."""
    inner = rgb(person.inner_colour)
    jacket = 0.075 * (1.0 - 0.3 * V)
    coat = 0.065 * np.clip(1.0 - 2.6 * V, 0.0, 1.0)
    opening = jacket if person.upper == "open" else coat  # half-width in turns
    lapel = (opening <= FRONT) & (opening + 0.025 > FRONT) & (V < 0.45)
    paint(torso, opening > FRONT, inner)
    paint(torso, lapel, main * 0.72)
    if person.upper == "coat":
        buttons = (np.abs(FRONT - 0.035) < 0.011) & (V * 7.0 % 1.0 < 0.28) & (V > 0.38)
        paint(torso, (FRONT < 0.008) & (V > 0.38), main * 0.5)
        paint(torso, buttons, main * 0.35 + 0.1)
    else:
        paint(torso, (FRONT < 0.05) & (V < 0.13), skin * 0.95)


def _paint_straps(torso: Pixels, person: Person) -> None:
    strap = rgb(person.bag_colour) * np.float32(0.75)
    if person.bag == "backpack":
        shoulder = (np.abs(FRONT - 0.115 - 0.03 * V) < 0.020) & (V > 0.05) & (V < 0.55)
        paint(torso, shoulder, strap)
        paint(torso, (np.abs(V - 0.34) < 0.014) & (FRONT < 0.115), strap * 0.9)
    elif person.bag == "shoulder":  # from the left shoulder to the right hip, on both sides
        # from_left = (1 + sin(2 pi (u - 0.5))) / 2: 1 at the left side, 0 at the right
        from_left = 0.5 * (1.0 + np.sin(2.0 * np.pi * (U - 0.25 - 0.25)))
        band = (np.abs(1.0 - from_left - V * 1.02 + 0.04) < 0.05) & (V > 0.04)
        paint(torso, band, strap)


def paint_sleeves(atlas: Pixels, person: Person) -> None:
    """Paint shoulders, arms and hands."""
    main = rgb(person.upper_colour)
    skin = rgb(person.skin)
    if person.sleeve_colour is not None:
        sleeve = plain(rgb(person.sleeve_colour))
    elif person.pattern in _ALONG_LIMBS:
        on_arm = pattern_mask(person.pattern, 0.6 * person.pattern_rate, person.pattern_phase)
        sleeve = mix(main, rgb(person.second_colour), on_arm)
    else:
        sleeve = plain(main)
    shoulder = sleeve.copy()
    upper = sleeve.copy()
    forearm = sleeve.copy()
    if person.upper == "tee":  # short sleeve: 68 % of the upper arm
        paint(upper, V > 0.68, skin)
        paint(upper, (V > 0.62) & (V <= 0.68), upper[0, 0] * 0.8)
        forearm = plain(skin)
    elif person.upper == "tank":
        shoulder = plain(skin)
        upper = plain(skin)
        forearm = plain(skin)
    else:
        paint(forearm, V > 0.92, forearm[0, 0] * 0.72)  # cuff
    atlas[Part.SHOULDER] = shoulder
    atlas[Part.UPPER_ARM] = upper
    atlas[Part.FOREARM] = forearm
    atlas[Part.HAND] = skin
    fingers = (V > 0.6) & (U * 16.0 % 1.0 < 0.3)
    paint(atlas[Part.HAND], fingers, skin * 0.82)
