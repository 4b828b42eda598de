"""Textures of the head: face, hair with its hairline, hats."""

from __future__ import annotations

import numpy as np

from metabin.synthetic.body_parts import Part
from metabin.synthetic.colour import Colour, Pixels, rgb
from metabin.synthetic.identity import Person
from metabin.synthetic.surface_coordinates import Cutout
from metabin.synthetic.texture import FRONT, SIDE, U, V, paint, plain

# Angles from the front midline in turns: 0 = face, 0.25 = ear, 0.5 = nape.
_HAIRLINE_AT = (0.0, 0.09, 0.15, 0.20, 0.27, 0.34, 0.5)
# Edge of the hair at these angles, as polar angle / pi: 0 = crown, 1 = chin.
_HAIRLINE = {
    "short": (0.30, 0.31, 0.40, 0.54, 0.52, 0.62, 0.70),
    "crop": (0.29, 0.30, 0.38, 0.48, 0.47, 0.58, 0.66),
    "bob": (0.34, 0.35, 0.46, 0.86, 0.95, 1.0, 1.0),
    "long": (0.31, 0.34, 0.45, 0.80, 0.95, 1.0, 1.0),
    "bun": (0.28, 0.30, 0.38, 0.49, 0.48, 0.58, 0.66),
    "tail": (0.30, 0.31, 0.38, 0.50, 0.49, 0.60, 0.70),
    "curly": (0.34, 0.35, 0.42, 0.62, 0.66, 0.74, 0.80),
}


def head_cutouts(person: Person) -> dict[int, Cutout]:
    """Return masks (V, U) of the head's covers: True where hair or hat exists."""
    cutouts: dict[int, Cutout] = {}
    if person.hair_style != "bald":
        edge = np.interp(FRONT, _HAIRLINE_AT, _HAIRLINE[person.hair_style])
        forehead = np.clip(1.0 - FRONT / 0.15, 0.0, 1.0)  # 1 at the midline, 0 from 0.15 turns on
        cutouts[Part.HAIR] = edge + person.hairline * forehead > V
        cutouts[Part.FALL] = (0.21 if person.hair_style == "bob" else 0.23) < FRONT
    cutouts[Part.HAT] = (0.47 if person.hat == "beanie" else 0.40) > V
    return cutouts


def paint_head(atlas: Pixels, person: Person) -> None:
    """Paint the parts of the head into the atlas (num_parts, V, U, 3)."""
    skin = rgb(person.skin)
    atlas[Part.HEAD] = _face(person, skin)
    for part in (Part.NOSE, Part.EAR):
        atlas[part] = skin * np.float32(0.94)
    atlas[Part.NECK] = skin * np.float32(0.88)
    hair = _strands(rgb(person.hair_colour))
    for part in (Part.HAIR, Part.FALL, Part.KNOT):
        atlas[part] = hair
    atlas[Part.HAT] = _hat(person)
    atlas[Part.BRIM] = rgb(person.hat_colour) * np.float32(0.85)


def _face(person: Person, skin: Pixels) -> Pixels:
    """Return the face: eyes at half height, brows, cheeks, mouth; then beard, mask or glasses."""
    face = plain(skin)
    hair = rgb(person.hair_colour)
    eye = np.abs(FRONT - 0.062)  # distance from the middle of the nearer eye, in turns
    at_eyes = np.abs(V - 0.505)
    if person.hair_style in ("crop", "bald"):  # stubble of the shaven sides
        shaven = ((0.36 - 0.2 * (FRONT < 0.12) > V) | (FRONT > 0.22)) & (V < 0.66)
        paint(face, shaven, skin * 0.75 + hair * 0.2)
    cheeks = (np.abs(FRONT - 0.10) < 0.05) & (np.abs(V - 0.62) < 0.06)
    paint(face, cheeks, skin * np.array([1.0, 0.90, 0.88]))
    brows = (eye < 0.034) & (np.abs(V - 0.445) < 0.016)
    paint(face, brows, skin * 0.3 + hair * 0.35)
    white = np.array([0.93, 0.92, 0.90]) * (0.4 + 0.6 * skin.max())
    paint(face, (eye < 0.030) & (at_eyes < 0.026), white)
    paint(face, (eye < 0.016) & (at_eyes < 0.030), np.array([0.10, 0.07, 0.05]))  # pupils
    paint(face, (FRONT < 0.025) & (np.abs(V - 0.62) < 0.018), skin * 0.78)  # nostrils
    if person.face == "beard":
        beard = (FRONT < 0.20) & (0.64 + 0.3 * np.maximum(0.0, 0.10 - FRONT) < V)
        paint(face, beard, skin * 0.25 + hair * 0.7)
    mouth = (FRONT < 0.050) & (np.abs(V - 0.725) < 0.020)
    paint(face, mouth, skin * np.array([0.80, 0.52, 0.50]))
    if person.face == "mask":
        colour = rgb(person.mask_colour)
        straps = (FRONT >= 0.19) & (FRONT < 0.26) & (np.abs(V - 0.60) < 0.02)
        paint(face, (FRONT < 0.19) & (V > 0.575) & (V < 0.93), colour)
        paint(face, (FRONT < 0.19) & (np.abs(V - 0.74) < 0.012), colour * 0.85)  # fold
        paint(face, straps, colour)
    elif person.face == "glasses":
        rim = np.array([0.07, 0.06, 0.06])
        paint(face, (eye < 0.048) & (at_eyes < 0.055), rim)
        paint(face, (FRONT < 0.25) & (np.abs(V - 0.495) < 0.014), rim)
        paint(face, (eye < 0.028) & (at_eyes < 0.030), skin * 0.35 + 0.1)  # glass
    return face


def _strands(hair: Pixels) -> Pixels:
    """Return hair with locks: fine streaks down from the crown, darker towards the ends."""
    # streaks = 0.90 + 0.12 sin(2 pi (11 u + 0.5 sin(9 v))), times 1.08 - 0.22 v
    streaks = 0.90 + 0.12 * np.sin(2.0 * np.pi * (11.0 * U + 0.5 * np.sin(9.0 * V)))
    streaks = streaks * (1.08 - 0.22 * V)
    return (hair + np.float32(0.015)) * streaks[..., None].astype(np.float32)


def _hat(person: Person) -> Pixels:
    colour = rgb(person.hat_colour)
    hat = plain(colour)
    if person.hat == "beanie":
        paint(hat, V > 0.35, colour * 0.78)
        ribs = 1.0 - 0.12 * (np.sin(2.0 * np.pi * 18.0 * U) > 0.3)
        return hat * ribs[..., None].astype(np.float32)
    trim = rgb(_contrasting(person.hat_colour))
    if person.hat == "sunhat":
        paint(hat, np.abs(V - 0.35) < 0.04, trim)  # band
    else:
        paint(hat, (FRONT < 0.07) & (np.abs(V - 0.28) < 0.06), trim)  # badge of a cap
        paint(hat, np.abs(SIDE) < 0.008, colour * 0.8)  # seam
    return hat


def _contrasting(colour: Colour) -> Colour:
    hue, saturation, value = colour
    return hue + 0.45, saturation * 0.7, 1.0 - 0.8 * value
