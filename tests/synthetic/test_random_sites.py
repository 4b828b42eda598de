"""Tests of random sites: sites with a sampled style."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from metabin.synthetic import RenderSettings, is_site, render_image
from metabin.synthetic.camera import camera_of
from metabin.synthetic.identity import person_of
from metabin.synthetic.random_sites import style_of
from metabin.synthetic.sites import DISTANCES, SITES, site_index, site_style

SETTINGS = RenderSettings(num_ids=4)
TONES = ("saturation", "gain", "contrast", "gamma")


def middles(site, settings=SETTINGS):
    imaging = style_of(settings, site).imaging
    return np.array([sum(getattr(imaging, name)) / 2 for name in TONES])


def test_listed_sites_keep_their_styles_and_every_random_site_has_another():
    assert style_of(SETTINGS, "night") == site_style("night", SETTINGS.gap)
    styles = {style_of(SETTINGS, f"place-{number}").imaging for number in range(20)}
    assert len(styles) == 20


NEARLY = ("place", "place-", "place-01", "place-3-near", "place-10000", "place-3-far-far", "place-3-step4")


@pytest.mark.bad_input("parameters")
@pytest.mark.parametrize("name", NEARLY)
def test_a_name_that_is_nearly_a_random_site_is_refused(name):
    assert not is_site(name)
    with pytest.raises(ValueError, match=r"unknown site .*plaza, or place-0 to place-9999, alone or with -step1, "):
        site_index(name)


def test_no_random_site_shares_its_random_streams_with_a_listed_site():
    keys = {site_index(f"place-{number}") for number in range(50)}
    assert not keys & {site_index(site) for site in SITES}


def test_another_seed_gives_another_style_and_other_people():
    other = replace(SETTINGS, seed=1)
    assert style_of(SETTINGS, "place-0") != style_of(other, "place-0")
    assert person_of(SETTINGS, "place-0", 1) != person_of(other, "place-0", 1)


@pytest.mark.parametrize("ending", list(DISTANCES)[1:])
def test_a_site_has_the_same_people_and_scenes_at_every_style_distance_and_another_style(ending):
    pids = range(1, 5)
    near_people = [person_of(SETTINGS, "place-3", pid) for pid in pids]
    far_people = [person_of(SETTINGS, f"place-3{ending}", pid) for pid in pids]
    assert near_people == far_people
    near, far = (camera_of(SETTINGS, name, 2) for name in ("place-3", f"place-3{ending}"))
    pairs = zip(near.scenes, far.scenes, strict=True)
    assert all(np.array_equal(scene, far_scene) for scene, far_scene in pairs)
    assert not np.array_equal(near.cast, far.cast)


def test_style_distances_are_equally_spaced_in_the_deviation_and_between_cameras():
    styles = [style_of(SETTINGS, f"place-3{ending}") for ending in DISTANCES]
    assert [style.spread for style in styles] == [1.0, 1.25, 1.5, 1.75, 2.0]
    # log(cast) = factor * sample: no bound cuts it off
    casts = np.log([style.imaging.cast for style in styles])
    factors = casts / casts[0]
    assert factors == pytest.approx(np.array([[1.0, 1.15, 1.3, 1.45, 1.6]] * 3).T)


def test_far_sites_are_further_apart_than_near_ones_and_without_a_gap_all_are_the_same():
    def deviation(suffix, settings=SETTINGS):
        rows = [middles(f"place-{number}{suffix}", settings) for number in range(60)]
        return np.std(rows, axis=0)

    assert (deviation("-far") > 1.2 * deviation("")).all()
    assert deviation("", replace(SETTINGS, gap=0.0)) == pytest.approx(0.0)


def test_every_random_site_can_be_rendered_and_its_ranges_are_in_order():
    for number in range(8):
        for name in (f"place-{number}{ending}" for ending in DISTANCES):
            assert render_image(SETTINGS, name, 1, number % 4, 0).startswith(b"\xff\xd8")
            imaging = style_of(SETTINGS, name).imaging
            for field in ("haze", "resolution", "jpeg", "blur", "noise"):
                low, high = getattr(imaging, field)
                assert 0 <= low < high
