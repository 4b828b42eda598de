"""The skeleton: joints of a walking person."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metabin.synthetic.geometry import Vector
from metabin.synthetic.identity import Person
from metabin.synthetic.random_streams import chance

# Sides of the body, as signs of its x axis.
LEFT = 1
RIGHT = -1

_ANKLE = 0.042  # height of the ankle above the ground, as a share of stature


@dataclass(frozen=True, slots=True)
class Pose:
    """One moment of a walk.

    Attributes:
        phase: Phase of the gait, in radians.
        stride: Length of the steps, as a factor.
        arm_left, arm_right: Added swing of the upper arms, in radians; forwards is positive.
        bend_left, bend_right: Added bend of the elbows, in radians.
        stoop: Forward lean of the trunk, as a factor.
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
    """Sample a moment of a walk; some arms are raised (a phone) or bent (a pocket, a strap)."""
    arms = []
    for _ in (LEFT, RIGHT):
        raised = chance(rng, 0.06)
        bent = chance(rng, 0.10)
        swing = float(rng.normal(0.0, 0.12))
        bend = float(abs(rng.normal(0.0, 0.15)))
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
    """Place the joints of a person; the lower foot stands on the ground."""
    height = person.height
    legs = {side: _leg(person, pose, side) for side in (LEFT, RIGHT)}
    # lift = ankle height - lowest ankle, so that the lower sole is at y = 0
    ground = min(float(leg.ankle[1]) for leg in legs.values()) - _ANKLE * height
    lift = np.array([0.0, -ground, 0.0])
    legs = {side: _lifted(leg, lift) for side, leg in legs.items()}
    # Upwards from the hips: pelvis 2 %, neck 31.5 %, head 10.4 % of stature; stoop moves z.
    pelvis = lift + [0.0, 0.02 * height, 0.0]
    neck = pelvis + [0.0, 0.315 * height, (0.035 * pose.stoop - 0.005) * height]
    head = neck + [0.0, 0.104 * height, (0.022 * pose.stoop + 0.018) * height]
    arms = {side: _arm(person, pose, side, neck) for side in (LEFT, RIGHT)}
    return Skeleton(pelvis, neck, head, legs, arms)


def _lifted(leg: Leg, lift: Vector) -> Leg:
    return Leg(leg.hip + lift, leg.knee + lift, leg.ankle + lift, leg.toe)


def _swing(angle: float) -> Vector:
    """Return the unit vector that points down, turned forwards by an angle in radians."""
    return np.array([0.0, -math.cos(angle), math.sin(angle)])


def _leg(person: Person, pose: Pose, side: int) -> Leg:
    """Return a leg that hangs from hips at height 0."""
    phase = pose.phase + (0.0 if side == LEFT else math.pi)
    stride = person.gait * pose.stride
    length = 0.46 * person.height * person.legs
    # thigh: forward = 0.42 stride sin(phase)
    # knee: bend = 0.04 + 0.55 stride max(0, sin(phase + 2.2))
    forward = 0.42 * stride * math.sin(phase)
    bend = 0.04 + 0.55 * stride * max(0.0, math.sin(phase + 2.2))
    hip_x = side * 0.058 * person.height * person.hip * (0.6 + 0.4 * person.build)
    hip = np.array([hip_x, 0.0, 0.0])
    # knee = hip + 51 % of the leg along the thigh, ankle = knee + 49 % along the calf
    knee = hip + 0.51 * length * _swing(forward) + [side * 0.004, 0.0, 0.0]
    ankle = knee + 0.49 * length * _swing(forward - bend)
    tilt = 0.55 * (forward - bend)  # the foot follows 55 % of the calf's turn
    toe = np.array([side * 0.16, math.sin(min(0.25, tilt)), math.cos(tilt)])
    return Leg(hip, knee, ankle, toe / math.sqrt(float((toe * toe).sum())))


def _arm(person: Person, pose: Pose, side: int, neck: Vector) -> Arm:
    """Return an arm that swings against the leg of its side."""
    phase = pose.phase + (0.0 if side == LEFT else math.pi)
    stride = person.gait * pose.stride
    added_swing = pose.arm_left if side == LEFT else pose.arm_right
    bend = pose.bend_left if side == LEFT else pose.bend_right
    # swing = -0.40 stride sin(phase) + pose; bend = pose + 0.18 + 0.25 max(0, swing)
    swing = -0.40 * stride * math.sin(phase) + added_swing
    bend += 0.18 + 0.25 * max(0.0, swing)
    height = person.height
    breadth = 0.102 * person.shoulder * (0.75 + 0.25 * person.build)
    shoulder = neck + np.array([side * breadth, -0.077, -swing * 0.01]) * [1.0, height, height]
    # elbow = shoulder + 16.8 % of stature along the upper arm, turned away from the trunk
    away = np.array([side * (0.10 + 0.10 * person.build), 0.0, 0.0])
    elbow = shoulder + 0.168 * height * (_swing(swing) + away)
    # wrist = elbow + 14.5 % of stature along the forearm; a bent arm turns inwards
    inwards = np.array([-side * 0.22 * min(1.0, bend), 0.0, 0.0])
    wrist = elbow + 0.145 * height * (_swing(swing + bend) + 0.4 * away + inwards)
    return Arm(shoulder, elbow, wrist)
