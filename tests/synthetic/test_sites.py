"""Tests of the listed sites: `gap` scales the distance of their imaging styles."""

from __future__ import annotations

from dataclasses import fields

import pytest

from metabin.synthetic import SITES
from metabin.synthetic.scene import SCENES
from metabin.synthetic.sites import Imaging, site_style

FIXED = ("cast", "cast_spread", "haze_colour", "fit")
MOVED = [field.name for field in fields(Imaging) if field.name not in FIXED]
CLIPPED = ("haze", "blur", "noise", "pitch")  # their ranges may be cut off at 0


def middle(site, gap, name):
    return sum(getattr(site_style(site, gap).imaging, name)) / 2.0


def test_an_unknown_site_is_refused_and_the_valid_ones_are_named():
    with pytest.raises(ValueError, match="beach.*campus, station, mall, winter, night, plaza"):
        site_style("beach", 0.6)


@pytest.mark.parametrize("name", [name for name in MOVED if name not in CLIPPED])
def test_without_gap_all_sites_share_the_middle_of_every_range(name):
    middles = {round(middle(site, 0.0, name), 9) for site in SITES}
    assert len(middles) == 1


@pytest.mark.parametrize("name", ["saturation", "gamma", "jpeg"])
def test_half_the_gap_is_half_the_distance_of_two_sites(name):
    distance = middle("campus", 1.0, name) - middle("night", 1.0, name)
    half = middle("campus", 0.5, name) - middle("night", 0.5, name)
    assert distance != 0.0
    assert half == pytest.approx(0.5 * distance)


def test_gap_moves_ranges_but_keeps_their_width_and_order():
    for site in SITES:
        listed = site_style(site, 1.0).imaging
        near = site_style(site, 0.6).imaging
        for name in MOVED:
            low, high = getattr(near, name)
            assert 0.0 <= low <= high
        low, high = near.gamma
        assert high - low == pytest.approx(listed.gamma[1] - listed.gamma[0])


def test_every_scene_that_a_site_names_exists():
    assert {scene for site in SITES for scene in site_style(site, 1.0).scenes} == set(SCENES)
