"""The figure: the tubes and balls that a person in a pose is made of.

Lengths are in body units (stature about 1). Garments are slightly larger than the limbs that they
cover, so that their edges (hems, cuffs, hats, hair) stand off from the body.
"""

from enum import IntEnum

import numpy as np

from .body import LEFT, RIGHT, Arm, Leg, Skeleton
from .geometry import Ball, Tube, Vector
from .identity import Person


class Part(IntEnum):
    """What a surface is; its place in the texture atlas. Left and right limbs share a texture."""

    HEAD = 0
    NOSE = 1
    EAR = 2
    NECK = 3
    HAIR = 4
    FALL = 5  # hair that hangs below the skull
    KNOT = 6  # bun, tail
    HAT = 7
    BRIM = 8
    TORSO = 9
    SHOULDER = 10
    UPPER_ARM = 11
    FOREARM = 12
    HAND = 13
    PELVIS = 14
    THIGH = 15
    CALF = 16
    SHOE = 17
    SKIRT = 18
    TAIL = 19  # of a coat
    HOOD = 20
    SCARF = 21
    BAG = 22
    HANDLE = 23


_PUFF = {"coat": 1.12, "hoodie": 1.08, "open": 1.06, "shirt": 1.02}  # how far a garment stands off
_SLEEVE = {"coat": 1.26, "hoodie": 1.2, "open": 1.16, "shirt": 1.08, "tee": 1.06}

_TORSO_KNOTS = (0.0, 0.055, 0.125, 0.21, 0.36, 0.52, 0.70, 0.86, 1.0)
_TORSO_SIDE = (0.050, 0.073, 0.104, 0.119, 0.122, 0.114, 0.104, 0.108, 0.113)
_TORSO_DEPTH = (0.046, 0.056, 0.066, 0.078, 0.085, 0.080, 0.075, 0.081, 0.084)


def shapes_of(person: Person, joints: Skeleton) -> list[Tube | Ball]:
    """All tubes and balls of a person whose joints are placed."""
    shapes = [*_trunk(person, joints), *_head(person, joints)]
    for side in (LEFT, RIGHT):
        shapes += _arm(person, joints.arms[side])
        shapes += _leg(person, joints.legs[side])
    return shapes + _skirt(person, joints) + _bag(person, joints)


def _upright(radius_x: float, radius_y: float, radius_z: float) -> Vector:
    """The axes of a ball that stands upright."""
    return np.diag([radius_x, radius_y, radius_z])


def _pointing(direction: Vector, along: float, side: float, up: float) -> Vector:
    """The axes of a ball whose long (front) axis points along a direction close to the y-z plane."""
    front = direction / np.sqrt((direction * direction).sum())
    left = np.array([front[2], 0.0, -front[0]])
    left = left / np.sqrt((left * left).sum() + 1e-9)
    above = np.array([
        front[1] * left[2] - front[2] * left[1],
        front[2] * left[0] - front[0] * left[2],
        front[0] * left[1] - front[1] * left[0],
    ])  # fmt: skip
    return np.stack([left * side, above * up, front * along], axis=1)


def bulk(person: Person) -> float:
    """How thick limbs are: their girth grows with build, but less than the waist's does."""
    return (0.55 + 0.45 * person.build) * (0.5 + 0.5 * person.height)


def _trunk(person: Person, joints: Skeleton) -> list[Tube | Ball]:
    """Torso (from the neck down over sloping shoulders to the hem), pelvis, neck, hood and scarf."""
    height, puff = person.height, _PUFF.get(person.upper, 1.0)
    frame = person.shoulder * (0.75 + 0.25 * person.build)
    belly = person.build * (0.9 + 0.1 * person.hip)
    hips = person.hip * (0.55 + 0.45 * person.build)
    blend = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.6, 1.0, 0.5, 0.0])  # shoulders -> waist
    lower = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0])  # waist -> hips
    spread = frame * (1.0 - blend - lower).clip(0.0) + belly * blend + hips * lower
    thick = (0.62 + 0.38 * person.build) * height * puff
    hem = joints.pelvis - [0.0, (0.005 + 0.035 * person.hem) * height, 0.0]
    top = joints.neck + [0.0, 0.008, 0.0]
    torso = Tube(
        Part.TORSO, top, hem,
        tuple(np.array(_TORSO_SIDE) * spread * height * puff),
        tuple(np.array(_TORSO_DEPTH) * thick), _TORSO_KNOTS, cap=3.0, over=0.012,
    )  # fmt: skip
    pelvis = Tube(
        Part.PELVIS, joints.pelvis + [0.0, 0.05 * height, 0.0], joints.pelvis - [0.0, 0.085 * height, 0.0],
        (0.098 * hips * height, 0.108 * hips * height, 0.106 * hips * height),
        (0.070 * thick / puff, 0.084 * thick / puff, 0.076 * thick / puff), (0.0, 0.6, 1.0), cap=1.6,
    )  # fmt: skip
    neck = Tube(
        Part.NECK, joints.head - [0.0, 0.03 * height, 0.012], joints.neck - [0.0, 0.02, 0.0],
        (0.036 * frame * height, 0.046 * frame * height), (0.038 * height, 0.046 * height),
    )  # fmt: skip
    return [torso, pelvis, neck, *_collar(person, joints)]


def _collar(person: Person, joints: Skeleton) -> list[Tube | Ball]:
    """What lies around the neck: a hood on the back, a scarf with a hanging end."""
    height, neck = person.height, joints.neck
    shapes: list[Tube | Ball] = []
    if person.upper == "hoodie":
        shapes.append(Ball(Part.HOOD, neck + [0.0, 0.0, -0.05 * height], _upright(0.078, 0.042, 0.046)))
        shapes.append(Ball(Part.HOOD, neck + [0.0, -0.035 * height, -0.072], _upright(0.058, 0.055, 0.034)))
    if person.scarf_colour is not None:
        shapes.append(Ball(Part.SCARF, neck + [0.0, 0.012, 0.006], _upright(0.074, 0.036, 0.072)))
        end = neck + [0.025, -0.15 * height, 0.098 * (0.5 + 0.5 * person.build)]
        start = neck + [0.02, 0.0, 0.062]
        shapes.append(Tube(Part.SCARF, start, end, (0.022, 0.028), (0.014, 0.014), cap=4.0))
    return shapes


def _head(person: Person, joints: Skeleton) -> list[Tube | Ball]:
    """Skull, nose, ears, and what covers them."""
    size, head = person.height * person.head, joints.head
    half_x, half_y, half_z = 0.053 * size, 0.074 * size, 0.064 * size
    shapes: list[Tube | Ball] = [
        Ball(Part.HEAD, head, _upright(half_x, half_y, half_z)),
        Ball(Part.NOSE, head + [0.0, -0.014 * size, 0.062 * size], _upright(0.009 * size, 0.017 * size, 0.014 * size)),
    ]
    for side in (LEFT, RIGHT):
        ear = head + [side * 0.053 * size, -0.004 * size, -0.004 * size]
        shapes.append(Ball(Part.EAR, ear, _upright(0.007 * size, 0.018 * size, 0.012 * size)))
    return shapes + _hair(person, head, size) + _hat(person, head, size)


_SHELL = {  # hair on the skull: half-axes as multiples of the head's
    "short": (1.10, 1.07, 1.10), "crop": (1.05, 1.03, 1.05), "bob": (1.20, 1.09, 1.14), "long": (1.16, 1.09, 1.13),
    "bun": (1.09, 1.06, 1.09), "tail": (1.08, 1.06, 1.09), "curly": (1.34, 1.22, 1.28),
}  # fmt: skip


def _hair(person: Person, head: Vector, size: float) -> list[Tube | Ball]:
    """A shell round the skull (open over the face: see `head.py`), and what hangs or is tied."""
    style = person.hair_style
    if style == "bald":
        return []
    wide, tall, deep = _SHELL[style]
    axes = _upright(0.053 * size * wide, 0.074 * size * tall, 0.064 * size * deep)
    shapes: list[Tube | Ball] = [Ball(Part.HAIR, head + [0.0, 0.006 * size, -0.007 * size], axes)]
    nape = head + [0.0, -0.01 * size, -0.016 * size]
    if style in ("bob", "long", "curly"):  # the inside of thick hair, seen past the cheeks from the front
        behind = _upright(0.052 * size * wide, 0.072 * size * tall, 0.042 * size)
        shapes.append(Ball(Part.KNOT, head + [0.0, 0.006 * size, -0.022 * size], behind))
    if style in ("bob", "long"):  # and past the neck
        inside, radii = nape - [0.0, 0.0, 0.022 * size], (0.058 * size, 0.058 * size)
        shapes.append(Tube(Part.KNOT, inside, inside - [0.0, 0.07 * size, 0.004], radii, (0.03 * size, 0.03 * size)))
    if style == "bob":
        side, depth = (0.062 * size, 0.068 * size, 0.060 * size), (0.058 * size, 0.056 * size, 0.046 * size)
        shapes.append(Tube(Part.FALL, nape, nape - [0.0, 0.075 * size, 0.0], side, depth, (0.0, 0.6, 1.0), cap=2.2))
    elif style == "long":
        end = nape - [0.0, 0.185 * size, 0.040]
        side = (0.058 * size, 0.070 * size, 0.074 * size, 0.052 * size)
        depth = (0.056 * size, 0.050 * size, 0.038 * size, 0.022 * size)
        shapes.append(Tube(Part.FALL, nape, end, side, depth, (0.0, 0.35, 0.7, 1.0), cap=1.6))
    elif style == "bun":
        radius = 0.036 * size
        centre = head + [0.0, 0.040 * size, -0.068 * size]
        shapes.append(Ball(Part.KNOT, centre, _upright(radius, radius, radius)))
    elif style == "tail":
        start, end = head + [0.0, 0.028 * size, -0.072 * size], head + [0.0, -0.13 * size, -0.095 * size]
        girth = (0.018 * size, 0.030 * size, 0.012 * size)
        shapes.append(Tube(Part.KNOT, start, end, girth, girth, (0.0, 0.35, 1.0)))
    return shapes


def _hat(person: Person, head: Vector, size: float) -> list[Tube | Ball]:
    if person.hat == "none":
        return []
    bulge = {"beanie": 1.22, "cap": 1.18, "sunhat": 1.18}[person.hat]
    crown = _upright(
        0.053 * size * bulge, 0.074 * size * (1.20 if person.hat == "beanie" else 1.12), 0.064 * size * bulge
    )
    shapes: list[Tube | Ball] = [Ball(Part.HAT, head + [0.0, 0.010 * size, -0.003], crown)]
    if person.hat == "cap":
        peak = head + [0.0, 0.030 * size, 0.085 * size]
        shapes.append(Ball(Part.BRIM, peak, _upright(0.048 * size, 0.010 * size, 0.052 * size)))
    elif person.hat == "sunhat":
        shapes.append(
            Ball(Part.BRIM, head + [0.0, 0.030 * size, 0.0], _upright(0.118 * size, 0.013 * size, 0.124 * size))
        )
    return shapes


def _arm(person: Person, arm: Arm) -> list[Tube | Ball]:
    girth = bulk(person)
    sleeve = _SLEEVE.get(person.upper, 1.0) * girth
    cuff = girth if person.upper in ("tee", "tank") else sleeve
    cap = 0.049 * (0.25 + 0.75 * sleeve)
    upper, lower = (0.047 * sleeve, 0.043 * sleeve, 0.038 * sleeve), (0.037 * cuff, 0.038 * cuff, 0.029 * cuff)
    down = arm.wrist - arm.elbow
    down = down / np.sqrt((down * down).sum())
    palm = arm.wrist + 0.034 * person.height * down
    hand = _pointing(down, 0.044 * person.height, 0.019 * girth, 0.029 * girth)
    return [
        Ball(Part.SHOULDER, arm.shoulder, _upright(cap, cap, cap)),
        Tube(Part.UPPER_ARM, arm.shoulder, arm.elbow, upper, upper, (0.0, 0.5, 1.0)),
        Tube(Part.FOREARM, arm.elbow, arm.wrist, lower, lower, (0.0, 0.25, 1.0), cap=1.3),
        Ball(Part.HAND, palm, hand),
    ]


_THIGH = {"trousers": 1.08, "shorts": 1.14, "leggings": 0.96, "skirt": 0.93}
_CALF = {  # half-widths at the knee, the calf and the ankle
    "trousers": (0.055, 0.055, 0.052), "shorts": (0.044, 0.047, 0.027),
    "leggings": (0.046, 0.048, 0.030), "skirt": (0.044, 0.046, 0.027),
}  # fmt: skip


def _leg(person: Person, leg: Leg) -> list[Tube | Ball]:
    girth, height = bulk(person), person.height
    thigh = tuple(girth * _THIGH[person.lower] * radius for radius in (0.074, 0.070, 0.054))
    calf = tuple(girth * radius for radius in _CALF[person.lower])
    heel = leg.ankle - [0.0, (0.042 - 0.036) * height, 0.0]
    foot = heel + 0.034 * height * leg.toe
    tall = 0.050 if person.shoe == "boot" else 0.043
    axes = _pointing(leg.toe, 0.082 * height, 0.037 * (0.7 + 0.3 * girth) * height, tall * height)
    hidden = 0.65 if person.lower == "skirt" else 0.45 if person.upper == "coat" else 0.0
    hip = leg.hip + hidden * (leg.knee - leg.hip)  # thighs must not poke through what hangs over them
    return [
        Tube(Part.THIGH, hip, leg.knee, thigh, thigh, (0.0, 0.4, 1.0), cap=1.8),
        Tube(Part.CALF, leg.knee, leg.ankle, calf, calf, (0.0, 0.3, 1.0), cap=1.5),
        Ball(Part.SHOE, foot, axes),
    ]


def _skirt(person: Person, joints: Skeleton) -> list[Tube | Ball]:
    """A skirt or the tail of a coat: a cone that widens with the stride."""
    height, hips = person.height, person.hip * (0.55 + 0.45 * person.build)
    thick = (0.62 + 0.38 * person.build) * height
    knees = [joints.legs[side].knee for side in (LEFT, RIGHT)]
    stride = abs(float(knees[0][2] - knees[1][2])) / height
    shapes: list[Tube | Ball] = []
    start = joints.pelvis + [0.0, 0.03 * height, 0.0]
    if person.lower == "skirt":
        end = joints.pelvis - [0.0, (0.19 + 0.10 * person.hem) * height, 0.0]
        side = (0.110 * hips * height, 0.130 * hips * height, 0.148 * hips * height)
        depth = (0.084 * thick, (0.100 + 0.05 * stride) * thick, (0.12 + 0.24 * stride) * thick)
        shapes.append(Tube(Part.SKIRT, start, end, side, depth, (0.0, 0.35, 1.0), cap=6.0, over=0.035))
    if person.upper == "coat":
        end = joints.pelvis - [0.0, (0.12 + 0.14 * person.hem) * height, 0.0]
        side = (0.122 * hips * height, 0.142 * hips * height)
        depth = (0.098 * thick, (0.120 + 0.22 * stride) * thick)
        shapes.append(Tube(Part.TAIL, start, end, side, depth, cap=6.0, over=0.03))
    return shapes


def _bag(person: Person, joints: Skeleton) -> list[Tube | Ball]:
    """A backpack, a bag at the right hip, or a bag that hangs from the right hand by two handles."""
    size, height = person.bag_size, person.height
    back = 0.085 * (0.62 + 0.38 * person.build) * height
    if person.bag == "backpack":
        start = joints.neck + [0.0, -0.045 * height, -back - 0.030]
        end = start - [0.0, 0.19 * size, 0.006]
        side = (0.075 * size, 0.098 * size, 0.104 * size, 0.096 * size)
        depth = (0.038 * size, 0.055 * size, 0.070 * size, 0.060 * size)
        return [Tube(Part.BAG, start, end, side, depth, (0.0, 0.2, 0.75, 1.0), cap=2.0)]
    if person.bag == "shoulder":
        start = joints.pelvis + [-0.145 * person.hip * (0.6 + 0.4 * person.build), 0.05, 0.0]
        girth = (0.034 * size, 0.042 * size), (0.088 * size, 0.098 * size)
        return [Tube(Part.BAG, start, start - [0.0, 0.115 * size, 0.0], *girth, cap=2.8)]
    if person.bag == "hand":
        palm = joints.arms[RIGHT].wrist - [0.0, 0.055 * height, 0.0]
        top = palm - [0.0, 0.075, 0.0]
        girth = (0.032 * size, 0.042 * size), (0.078 * size, 0.098 * size)
        shapes: list[Tube | Ball] = [Tube(Part.BAG, top, top - [0.0, 0.125 * size, 0.0], *girth, cap=3.0)]
        for end in (-1.0, 1.0):
            foot = top + [0.0, -0.01, end * 0.05 * size]
            shapes.append(Tube(Part.HANDLE, palm, foot, (0.007, 0.007), (0.007, 0.007)))
        return shapes
    return []
