"""The skeleton: joints of a walking person."""

import math
from dataclasses import dataclass

import numpy as np

from .geometry import Vector
from .identity import Person
from .streams import chance

LEFT, RIGHT = 1, -1
"""Sides of the body, as signs of its x axis."""


@dataclass(frozen=True, slots=True)
class Pose:
    """One moment of a walk.

    Attributes:
        phase: of the gait, in radians. stride: length of the steps, as a factor.
        arm_left, arm_right: added swing of the upper arms, in radians; forwards is positive.
        bend_left, bend_right: added bend of the elbows, in radians.
        stoop: how far the trunk leans forwards, as a factor.
    """

    phase: float
    stride: float
    arm_left: float
    arm_right: float
    bend_left: float
    bend_right: float
    stoop: float


@dataclass(frozen=True, slots=True)
class Leg:
    """Joints of a leg; the toe is the direction of the foot."""

    hip: Vector
    knee: Vector
    ankle: Vector
    toe: Vector


@dataclass(frozen=True, slots=True)
class Arm:
    """Joints of an arm."""

    shoulder: Vector
    elbow: Vector
    wrist: Vector


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints in the body frame; y = 0 is the ground. `legs` and `arms` map a side to its joints."""

    pelvis: Vector
    neck: Vector
    head: Vector
    legs: dict[int, Leg]
    arms: dict[int, Arm]


def random_pose(rng: np.random.Generator) -> Pose:
    """A moment of a walk; now and then an arm is raised (a phone) or bent (a pocket, a strap)."""
    arms = []
    for _ in (LEFT, RIGHT):
        raised, bent = chance(rng, 0.06), chance(rng, 0.10)
        swing, bend = float(rng.normal(0.0, 0.12)), float(abs(rng.normal(0.0, 0.15)))
        arms.append((swing + 0.5 * raised, bend + 1.5 * raised + 0.9 * bent))
    return Pose(
        phase=float(rng.uniform(0.0, 2.0 * math.pi)),
        stride=float(np.clip(abs(rng.normal(0.75, 0.3)), 0.0, 1.3)),
        arm_left=arms[0][0],
        arm_right=arms[1][0],
        bend_left=arms[0][1],
        bend_right=arms[1][1],
        stoop=float(rng.normal(0.3, 0.5)),
    )


def walking_skeleton(person: Person, pose: Pose) -> Skeleton:
    """Places the joints; the lower foot stands on the ground."""
    height = person.height
    legs = {side: _leg(person, pose, side) for side in (LEFT, RIGHT)}
    ground = min(float(leg.ankle[1]) for leg in legs.values()) - _ANKLE * height
    lift = np.array([0.0, -ground, 0.0])
    legs = {side: Leg(leg.hip + lift, leg.knee + lift, leg.ankle + lift, leg.toe) for side, leg in legs.items()}
    pelvis = lift + [0.0, 0.02 * height, 0.0]
    neck = pelvis + [0.0, 0.315 * height, (0.035 * pose.stoop - 0.005) * height]
    head = neck + [0.0, 0.104 * height, (0.022 * pose.stoop + 0.018) * height]
    arms = {side: _arm(person, pose, side, neck) for side in (LEFT, RIGHT)}
    return Skeleton(pelvis, neck, head, legs, arms)


_ANKLE = 0.042  # height of the ankle above the ground, as a share of stature


def _swing(angle: float) -> Vector:
    """Unit vector that points down, turned forwards by an angle in radians."""
    return np.array([0.0, -math.cos(angle), math.sin(angle)])


def _leg(person: Person, pose: Pose, side: int) -> Leg:
    """A leg that hangs from hips at height 0."""
    phase = pose.phase + (0.0 if side == LEFT else math.pi)
    stride = person.gait * pose.stride
    length = 0.46 * person.height * person.legs
    forward = 0.42 * stride * math.sin(phase)
    bend = 0.04 + 0.55 * stride * max(0.0, math.sin(phase + 2.2))
    hip = np.array([side * 0.058 * person.height * person.hip * (0.6 + 0.4 * person.build), 0.0, 0.0])
    knee = hip + 0.51 * length * _swing(forward) + [side * 0.004, 0.0, 0.0]
    ankle = knee + 0.49 * length * _swing(forward - bend)
    tilt = 0.55 * (forward - bend)  # the foot follows the calf, but less
    toe = np.array([side * 0.16, math.sin(min(0.25, tilt)), math.cos(tilt)])
    return Leg(hip, knee, ankle, toe / math.sqrt(float((toe * toe).sum())))


def _arm(person: Person, pose: Pose, side: int, neck: Vector) -> Arm:
    """An arm that swings against the leg of its side."""
    phase = pose.phase + (0.0 if side == LEFT else math.pi)
    stride = person.gait * pose.stride
    more, bend = (pose.arm_left, pose.bend_left) if side == LEFT else (pose.arm_right, pose.bend_right)
    swing = -0.40 * stride * math.sin(phase) + more
    bend += 0.18 + 0.25 * max(0.0, swing)
    height = person.height
    breadth = 0.102 * person.shoulder * (0.75 + 0.25 * person.build)
    shoulder = neck + np.array([side * breadth, -0.077, -swing * 0.01]) * [1.0, height, height]
    away = np.array([side * (0.10 + 0.10 * person.build), 0.0, 0.0])
    elbow = shoulder + 0.168 * height * (_swing(swing) + away)
    inwards = np.array([-side * 0.22 * min(1.0, bend), 0.0, 0.0])
    wrist = elbow + 0.145 * height * (_swing(swing + bend) + 0.4 * away + inwards)
    return Arm(shoulder, elbow, wrist)
