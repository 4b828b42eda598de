"""Shapes of a person in a pose: the tubes and balls of trunk, arms and legs, and the list of all.

Lengths are in body units (stature about 1). Garments are slightly larger than the limbs that they
cover, so that their edges (hems, cuffs, hats, hair) stand off from the body.
"""

from __future__ import annotations

import numpy as np

from metabin.synthetic.body_parts import Part
from metabin.synthetic.garment_shapes import bag_shapes, collar_shapes, skirt_shapes
from metabin.synthetic.geometry import Ball, Shape, Tube, pointing_axes, upright_axes
from metabin.synthetic.head_shapes import head_shapes
from metabin.synthetic.identity import Person
from metabin.synthetic.skeleton import LEFT, RIGHT, Arm, Leg, Skeleton

# Factors by which garments are larger than the trunk and the arms below them.
_PUFF = {"coat": 1.12, "hoodie": 1.08, "open": 1.06, "shirt": 1.02}
_SLEEVE = {"coat": 1.26, "hoodie": 1.2, "open": 1.16, "shirt": 1.08, "tee": 1.06}

# Half-widths of the trunk at knots from the neck (0) over the shoulders to the hem (1).
_TORSO_KNOTS = (0.0, 0.055, 0.125, 0.21, 0.36, 0.52, 0.70, 0.86, 1.0)
_TORSO_SIDE = (0.050, 0.073, 0.104, 0.119, 0.122, 0.114, 0.104, 0.108, 0.113)
_TORSO_DEPTH = (0.046, 0.056, 0.066, 0.078, 0.085, 0.080, 0.075, 0.081, 0.084)

# Factors of the thigh's radius, and the radii of the calf at the knee, the calf and the ankle.
_THIGH = {"trousers": 1.08, "shorts": 1.14, "leggings": 0.96, "skirt": 0.93}
_CALF = {
    "trousers": (0.055, 0.055, 0.052),
    "shorts": (0.044, 0.047, 0.027),
    "leggings": (0.046, 0.048, 0.030),
    "skirt": (0.044, 0.046, 0.027),
}


def shapes_of(person: Person, joints: Skeleton) -> list[Shape]:
    """Return all tubes and balls of a person whose joints are placed."""
    shapes = [*_trunk(person, joints), *head_shapes(person, joints.head)]
    for side in (LEFT, RIGHT):
        shapes += _arm(person, joints.arms[side])
        shapes += _leg(person, joints.legs[side])
    return shapes + skirt_shapes(person, joints) + bag_shapes(person, joints)


def limb_girth(person: Person) -> float:
    """Return the factor of the limbs' thickness; it grows with build, but less than the waist's."""
    return (0.55 + 0.45 * person.build) * (0.5 + 0.5 * person.height)


def _trunk(person: Person, joints: Skeleton) -> list[Shape]:
    """Return torso (from the neck over sloping shoulders to the hem), pelvis, neck and collar."""
    height = person.height
    puff = _PUFF.get(person.upper, 1.0)
    frame = person.shoulder * (0.75 + 0.25 * person.build)
    belly = person.build * (0.9 + 0.1 * person.hip)
    hips = person.hip * (0.55 + 0.45 * person.build)
    # Width factor per knot: shoulders, then waist (weight blend), then hips (weight lower):
    # spread = frame (1 - blend - lower) + belly blend + hips lower
    blend = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.6, 1.0, 0.5, 0.0])
    lower = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0])
    spread = frame * (1.0 - blend - lower).clip(0.0) + belly * blend + hips * lower
    thick = (0.62 + 0.38 * person.build) * height * puff
    torso = Tube(
        Part.TORSO,
        joints.neck + [0.0, 0.008, 0.0],
        joints.pelvis - [0.0, (0.005 + 0.035 * person.hem) * height, 0.0],
        tuple(np.array(_TORSO_SIDE) * spread * height * puff),
        tuple(np.array(_TORSO_DEPTH) * thick),
        _TORSO_KNOTS,
        cap=3.0,
        depth_bias=0.012,
    )
    pelvis = Tube(
        Part.PELVIS,
        joints.pelvis + [0.0, 0.05 * height, 0.0],
        joints.pelvis - [0.0, 0.085 * height, 0.0],
        (0.098 * hips * height, 0.108 * hips * height, 0.106 * hips * height),
        (0.070 * thick / puff, 0.084 * thick / puff, 0.076 * thick / puff),
        (0.0, 0.6, 1.0),
        cap=1.6,
    )
    neck = Tube(
        Part.NECK,
        joints.head - [0.0, 0.03 * height, 0.012],
        joints.neck - [0.0, 0.02, 0.0],
        (0.036 * frame * height, 0.046 * frame * height),
        (0.038 * height, 0.046 * height),
    )
    return [torso, pelvis, neck, *collar_shapes(person, joints)]


def _arm(person: Person, arm: Arm) -> list[Shape]:
    girth = limb_girth(person)
    sleeve = _SLEEVE.get(person.upper, 1.0) * girth
    cuff = girth if person.upper in ("tee", "tank") else sleeve  # bare forearms
    cap = 0.049 * (0.25 + 0.75 * sleeve)
    upper = (0.047 * sleeve, 0.043 * sleeve, 0.038 * sleeve)
    lower = (0.037 * cuff, 0.038 * cuff, 0.029 * cuff)
    # palm = wrist + 3.4 % of stature along the forearm's unit vector
    down = arm.wrist - arm.elbow
    down = down / np.sqrt((down * down).sum())
    palm = arm.wrist + 0.034 * person.height * down
    hand = pointing_axes(down, 0.044 * person.height, 0.019 * girth, 0.029 * girth)
    return [
        Ball(Part.SHOULDER, arm.shoulder, upright_axes(cap, cap, cap)),
        Tube(Part.UPPER_ARM, arm.shoulder, arm.elbow, upper, upper, (0.0, 0.5, 1.0)),
        Tube(Part.FOREARM, arm.elbow, arm.wrist, lower, lower, (0.0, 0.25, 1.0), cap=1.3),
        Ball(Part.HAND, palm, hand),
    ]


def _leg(person: Person, leg: Leg) -> list[Shape]:
    girth = limb_girth(person)
    height = person.height
    thigh = tuple(girth * _THIGH[person.lower] * radius for radius in (0.074, 0.070, 0.054))
    calf = tuple(girth * radius for radius in _CALF[person.lower])
    # centre of the shoe = heel + 3.4 % of stature along the foot
    heel = leg.ankle - [0.0, (0.042 - 0.036) * height, 0.0]
    foot = heel + 0.034 * height * leg.toe
    tall = 0.050 if person.shoe == "boot" else 0.043
    breadth = 0.037 * (0.7 + 0.3 * girth) * height
    shoe = pointing_axes(leg.toe, 0.082 * height, breadth, tall * height)
    # Skirts and coats hide the upper part of the thigh, which must not come through them.
    hidden = 0.65 if person.lower == "skirt" else 0.45 if person.upper == "coat" else 0.0
    hip = leg.hip + hidden * (leg.knee - leg.hip)
    return [
        Tube(Part.THIGH, hip, leg.knee, thigh, thigh, (0.0, 0.4, 1.0), cap=1.8),
        Tube(Part.CALF, leg.knee, leg.ankle, calf, calf, (0.0, 0.3, 1.0), cap=1.5),
        Ball(Part.SHOE, foot, shoe),
    ]
