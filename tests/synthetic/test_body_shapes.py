"""Tests of figures: hair on all sides but the face, feet on the ground, smooth shoulders."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from metabin.synthetic import RenderSettings
from metabin.synthetic.body_parts import Part
from metabin.synthetic.body_shapes import shapes_of
from metabin.synthetic.clothing_textures import cutouts_of, paint_atlas
from metabin.synthetic.geometry import View
from metabin.synthetic.identity import HAIR_STYLES, person_of
from metabin.synthetic.rasteriser import rasterise
from metabin.synthetic.skeleton import LEFT, RIGHT, Pose, random_pose, walking_skeleton

STANDING = Pose(
    phase=0.0,
    stride=0.0,
    arm_left=0.0,
    arm_right=0.0,
    bend_left=0.0,
    bend_right=0.0,
    stoop=0.0,
)
BARE = replace(
    person_of(RenderSettings(), "plaza", 1),
    upper="tee",
    lower="trousers",
    hat="none",
    bag="none",
    scarf_colour=None,
)


def seen_from(person, yaw):
    """Return the surface of a standing person, seen by a camera at an angle."""
    view = View(yaw=yaw, pitch=0.1, roll=0.0, scale=125.0, centre=40.0, base=154.0)
    shapes = shapes_of(person, walking_skeleton(person, STANDING))
    return rasterise(shapes, view, cutouts_of(person))


def share_of_hair(surface):
    """Return hair as a share of the visible head."""
    num_hair = np.isin(surface.part, [Part.HAIR, Part.FALL, Part.KNOT]).sum()
    num_bare = np.isin(surface.part, [Part.HEAD, Part.EAR, Part.NOSE]).sum()
    return num_hair / (num_hair + num_bare)


@pytest.mark.parametrize("style", [style for style in HAIR_STYLES if style != "bald"])
def test_hair_surrounds_the_skull_but_leaves_the_face_free(style):
    person = replace(BARE, hair_style=style, hairline=0.0)
    yaws = (0.0, math.pi, -1.57, 1.57)
    front, back, left, right = (share_of_hair(seen_from(person, yaw)) for yaw in yaws)
    assert 0.15 < front < 0.70
    assert back > 0.75
    assert min(left, right) > 0.30
    assert left == pytest.approx(right, abs=0.05)


def test_the_face_is_not_seen_from_behind():
    assert Part.NOSE in seen_from(BARE, 0.0).part
    assert Part.NOSE not in seen_from(BARE, math.pi).part


def test_shoulders_slope_without_steps():
    seen = seen_from(replace(BARE, hair_style="crop"), math.pi).seen
    widths = seen.sum(axis=1)
    top = int(np.nonzero(widths)[0][0])
    neck = top + 10 + int(widths[top + 10 : top + 35].argmin())
    steps = np.diff(widths[neck : neck + 16])
    assert steps.max() <= 10  # a blocky shoulder would jump by its whole width, about 25 pixels


def test_the_lower_foot_stands_on_the_ground_in_every_pose():
    rng = np.random.default_rng(0)
    for _ in range(50):
        legs = walking_skeleton(BARE, random_pose(rng)).legs
        lowest = min(float(legs[side].ankle[1]) for side in (LEFT, RIGHT))
        assert lowest == pytest.approx(0.042 * BARE.height)


def test_limbs_keep_their_length_while_walking():
    rng = np.random.default_rng(1)
    lengths = []
    for _ in range(20):
        leg = walking_skeleton(BARE, random_pose(rng)).legs[LEFT]
        lengths.append(float(np.linalg.norm(leg.ankle - leg.knee)))
    assert max(lengths) - min(lengths) < 1e-9


def test_a_skirt_hides_the_thighs_at_full_stride():
    person = replace(BARE, lower="skirt", hem=1.0)
    pose = replace(STANDING, phase=math.pi / 2.0, stride=1.0)
    joints = walking_skeleton(person, pose)
    for yaw in (0.0, math.pi, 0.8, 2.4):
        view = View(yaw=yaw, pitch=0.2, roll=0.0, scale=125.0, centre=40.0, base=154.0)
        surface = rasterise(shapes_of(person, joints), view, cutouts_of(person))
        rows = np.nonzero(surface.seen)[0]
        waist = rows[surface.part == Part.SKIRT].min()
        assert not ((surface.part == Part.THIGH) & (rows < waist + 15)).any()


def test_the_atlas_is_rgb_for_every_part_and_site():
    for site in ("campus", "winter"):
        for pid in range(1, 25):
            person = person_of(RenderSettings(), site, pid)
            atlas = paint_atlas(person, np.random.default_rng(pid))
            assert atlas.shape == (len(Part), 48, 64, 3)
            assert atlas.dtype == np.float32
            assert atlas.min() >= 0.0 and atlas.max() <= 1.0
