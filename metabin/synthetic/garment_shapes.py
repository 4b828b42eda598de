"""Shapes of loose garments and bags: hood, scarf, skirt, coat tail, bags. Lengths in body units."""

from __future__ import annotations

from metabin.synthetic.body_parts import Part
from metabin.synthetic.geometry import Ball, Shape, Tube, upright_axes
from metabin.synthetic.identity import Person
from metabin.synthetic.skeleton import LEFT, RIGHT, Skeleton


def collar_shapes(person: Person, joints: Skeleton) -> list[Shape]:
    """Return the garments around the neck: a hood on the back, a scarf with a hanging end."""
    height = person.height
    neck = joints.neck
    shapes: list[Shape] = []
    if person.upper == "hoodie":
        upper = neck + [0.0, 0.0, -0.05 * height]
        lower = neck + [0.0, -0.035 * height, -0.072]
        shapes.append(Ball(Part.HOOD, upper, upright_axes(0.078, 0.042, 0.046)))
        shapes.append(Ball(Part.HOOD, lower, upright_axes(0.058, 0.055, 0.034)))
    if person.scarf_colour is not None:
        ring = neck + [0.0, 0.012, 0.006]
        shapes.append(Ball(Part.SCARF, ring, upright_axes(0.074, 0.036, 0.072)))
        end = neck + [0.025, -0.15 * height, 0.098 * (0.5 + 0.5 * person.build)]
        start = neck + [0.02, 0.0, 0.062]
        shapes.append(Tube(Part.SCARF, start, end, (0.022, 0.028), (0.014, 0.014), cap=4.0))
    return shapes


def skirt_shapes(person: Person, joints: Skeleton) -> list[Shape]:
    """Return a skirt or the tail of a coat: a cone that widens with the stride."""
    height = person.height
    hips = person.hip * (0.55 + 0.45 * person.build)
    thick = (0.62 + 0.38 * person.build) * height
    # stride = distance of the knees along the walk, in statures
    knees = [joints.legs[side].knee for side in (LEFT, RIGHT)]
    stride = abs(float(knees[0][2] - knees[1][2])) / height
    shapes: list[Shape] = []
    start = joints.pelvis + [0.0, 0.03 * height, 0.0]
    if person.lower == "skirt":
        end = joints.pelvis - [0.0, (0.19 + 0.10 * person.hem) * height, 0.0]
        side = (0.110 * hips * height, 0.130 * hips * height, 0.148 * hips * height)
        depth = (0.084 * thick, (0.100 + 0.05 * stride) * thick, (0.12 + 0.24 * stride) * thick)
        knots = (0.0, 0.35, 1.0)
        shapes.append(
            Tube(Part.SKIRT, start, end, side, depth, knots, cap=6.0, depth_bias=0.035),
        )
    if person.upper == "coat":
        end = joints.pelvis - [0.0, (0.12 + 0.14 * person.hem) * height, 0.0]
        side = (0.122 * hips * height, 0.142 * hips * height)
        depth = (0.098 * thick, (0.120 + 0.22 * stride) * thick)
        shapes.append(Tube(Part.TAIL, start, end, side, depth, cap=6.0, depth_bias=0.03))
    return shapes


def bag_shapes(person: Person, joints: Skeleton) -> list[Shape]:
    """Return a backpack, a bag at the right hip, or a bag with two handles in the right hand."""
    size = person.bag_size
    height = person.height
    if person.bag == "backpack":
        back = 0.085 * (0.62 + 0.38 * person.build) * height  # half the depth of the trunk
        start = joints.neck + [0.0, -0.045 * height, -back - 0.030]
        end = start - [0.0, 0.19 * size, 0.006]
        side = (0.075 * size, 0.098 * size, 0.104 * size, 0.096 * size)
        depth = (0.038 * size, 0.055 * size, 0.070 * size, 0.060 * size)
        return [Tube(Part.BAG, start, end, side, depth, (0.0, 0.2, 0.75, 1.0), cap=2.0)]
    if person.bag == "shoulder":
        outwards = -0.145 * person.hip * (0.6 + 0.4 * person.build)
        start = joints.pelvis + [outwards, 0.05, 0.0]
        end = start - [0.0, 0.115 * size, 0.0]
        side = (0.034 * size, 0.042 * size)
        depth = (0.088 * size, 0.098 * size)
        return [Tube(Part.BAG, start, end, side, depth, cap=2.8)]
    if person.bag == "hand":
        palm = joints.arms[RIGHT].wrist - [0.0, 0.055 * height, 0.0]
        top = palm - [0.0, 0.075, 0.0]
        bottom = top - [0.0, 0.125 * size, 0.0]
        side = (0.032 * size, 0.042 * size)
        depth = (0.078 * size, 0.098 * size)
        shapes: list[Shape] = [Tube(Part.BAG, top, bottom, side, depth, cap=3.0)]
        for direction in (-1.0, 1.0):  # the handles to the front and the back edge of the bag
            foot = top + [0.0, -0.01, direction * 0.05 * size]
            shapes.append(Tube(Part.HANDLE, palm, foot, (0.007, 0.007), (0.007, 0.007)))
        return shapes
    return []
