"""Shapes of the head: skull, nose, ears, hair and hats. Lengths are in body units."""

from __future__ import annotations

from metabin.synthetic.body_parts import Part
from metabin.synthetic.geometry import Ball, Shape, Tube, Vector, upright_axes
from metabin.synthetic.identity import Person
from metabin.synthetic.skeleton import LEFT, RIGHT

# Half-axes of the skull, as multiples of the head's size: across, up, front.
_HALF_X = 0.053
_HALF_Y = 0.074
_HALF_Z = 0.064

_SHELL = {  # half-axes of the hair on the skull, as multiples of the skull's
    "short": (1.10, 1.07, 1.10),
    "crop": (1.05, 1.03, 1.05),
    "bob": (1.20, 1.09, 1.14),
    "long": (1.16, 1.09, 1.13),
    "bun": (1.09, 1.06, 1.09),
    "tail": (1.08, 1.06, 1.09),
    "curly": (1.34, 1.22, 1.28),
}


def head_shapes(person: Person, head: Vector) -> list[Shape]:
    """Return skull, nose and ears, and the hair and the hat that cover them.

    Args:
        person: The identity.
        head: Centre of the skull, (3,).
    """
    size = person.height * person.head
    skull = upright_axes(_HALF_X * size, _HALF_Y * size, _HALF_Z * size)
    nose = upright_axes(0.009 * size, 0.017 * size, 0.014 * size)
    shapes: list[Shape] = [
        Ball(Part.HEAD, head, skull),
        Ball(Part.NOSE, head + [0.0, -0.014 * size, 0.062 * size], nose),
    ]
    for side in (LEFT, RIGHT):
        ear = head + [side * 0.053 * size, -0.004 * size, -0.004 * size]
        shapes.append(Ball(Part.EAR, ear, upright_axes(0.007 * size, 0.018 * size, 0.012 * size)))
    return shapes + _hair(person, head, size) + _hat(person, head, size)


def _hair(person: Person, head: Vector, size: float) -> list[Shape]:
    """Return a shell round the skull, open over the face (see `head_cutouts`), and hanging hair."""
    style = person.hair_style
    if style == "bald":
        return []
    wide, tall, deep = _SHELL[style]
    axes = upright_axes(_HALF_X * size * wide, _HALF_Y * size * tall, _HALF_Z * size * deep)
    shapes: list[Shape] = [Ball(Part.HAIR, head + [0.0, 0.006 * size, -0.007 * size], axes)]
    nape = head + [0.0, -0.01 * size, -0.016 * size]
    if style in ("bob", "long", "curly"):  # thick hair is seen past the cheeks from the front
        behind = upright_axes(0.052 * size * wide, 0.072 * size * tall, 0.042 * size)
        shapes.append(Ball(Part.KNOT, head + [0.0, 0.006 * size, -0.022 * size], behind))
    if style in ("bob", "long"):  # and past the neck
        start = nape - [0.0, 0.0, 0.022 * size]
        end = start - [0.0, 0.07 * size, 0.004]
        radii = (0.058 * size, 0.058 * size)
        shapes.append(Tube(Part.KNOT, start, end, radii, (0.03 * size, 0.03 * size)))
    return shapes + _hanging_hair(style, head, nape, size)


def _hanging_hair(style: str, head: Vector, nape: Vector, size: float) -> list[Shape]:
    """Return the hair below or behind the skull: fall, bun or tail; none for short styles."""
    if style == "bob":
        end = nape - [0.0, 0.075 * size, 0.0]
        side = (0.062 * size, 0.068 * size, 0.060 * size)
        depth = (0.058 * size, 0.056 * size, 0.046 * size)
        return [Tube(Part.FALL, nape, end, side, depth, (0.0, 0.6, 1.0), cap=2.2)]
    if style == "long":
        end = nape - [0.0, 0.185 * size, 0.040]
        side = (0.058 * size, 0.070 * size, 0.074 * size, 0.052 * size)
        depth = (0.056 * size, 0.050 * size, 0.038 * size, 0.022 * size)
        return [Tube(Part.FALL, nape, end, side, depth, (0.0, 0.35, 0.7, 1.0), cap=1.6)]
    if style == "bun":
        radius = 0.036 * size
        centre = head + [0.0, 0.040 * size, -0.068 * size]
        return [Ball(Part.KNOT, centre, upright_axes(radius, radius, radius))]
    if style == "tail":
        start = head + [0.0, 0.028 * size, -0.072 * size]
        end = head + [0.0, -0.13 * size, -0.095 * size]
        girth = (0.018 * size, 0.030 * size, 0.012 * size)
        return [Tube(Part.KNOT, start, end, girth, girth, (0.0, 0.35, 1.0))]
    return []


def _hat(person: Person, head: Vector, size: float) -> list[Shape]:
    if person.hat == "none":
        return []
    bulge = {"beanie": 1.22, "cap": 1.18, "sunhat": 1.18}[person.hat]
    tall = 1.20 if person.hat == "beanie" else 1.12
    crown = upright_axes(_HALF_X * size * bulge, _HALF_Y * size * tall, _HALF_Z * size * bulge)
    shapes: list[Shape] = [Ball(Part.HAT, head + [0.0, 0.010 * size, -0.003], crown)]
    if person.hat == "cap":
        peak = head + [0.0, 0.030 * size, 0.085 * size]
        shapes.append(Ball(Part.BRIM, peak, upright_axes(0.048 * size, 0.010 * size, 0.052 * size)))
    elif person.hat == "sunhat":
        centre = head + [0.0, 0.030 * size, 0.0]
        brim = upright_axes(0.118 * size, 0.013 * size, 0.124 * size)
        shapes.append(Ball(Part.BRIM, centre, brim))
    return shapes
