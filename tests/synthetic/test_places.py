"""Places: sites without number whose style is drawn at random."""

from dataclasses import replace

import numpy as np
import pytest

from metabin.synthetic import DrawSettings, draw_image, is_site
from metabin.synthetic.camera import camera_of
from metabin.synthetic.identity import person_of
from metabin.synthetic.places import style_of
from metabin.synthetic.sites import SITES, site_index, site_style

SETTINGS = DrawSettings(num_ids=4)
TONES = ("saturation", "gain", "contrast", "gamma")


def middles(site, settings=SETTINGS):
    imaging = style_of(settings, site).imaging
    return np.array([sum(getattr(imaging, name)) / 2 for name in TONES])


def test_the_listed_sites_keep_their_styles_and_places_have_their_own():
    assert style_of(SETTINGS, "night") == site_style("night", SETTINGS.gap)
    styles = {style_of(SETTINGS, f"place-{number}").imaging for number in range(20)}
    assert len(styles) == 20


@pytest.mark.parametrize("name", ["place", "place-", "place-01", "place-3-near", "place-10000", "place-3-far-far"])
def test_a_name_that_is_nearly_a_place_is_refused(name):
    assert not is_site(name)
    with pytest.raises(ValueError, match="unknown site"):
        site_index(name)


def test_no_place_shares_its_random_streams_with_a_listed_site():
    assert not {site_index(f"place-{number}") for number in range(50)} & {site_index(site) for site in SITES}


def test_another_seed_draws_another_style_and_other_people():
    other = replace(SETTINGS, seed=1)
    assert style_of(SETTINGS, "place-0") != style_of(other, "place-0")
    assert person_of(SETTINGS, "place-0", 1) != person_of(other, "place-0", 1)


def test_a_far_place_has_the_same_people_and_scenes_under_a_style_further_away():
    assert [person_of(SETTINGS, "place-3", pid) for pid in range(1, 5)] == [
        person_of(SETTINGS, "place-3-far", pid) for pid in range(1, 5)
    ]
    near, far = (camera_of(SETTINGS, name, 2) for name in ("place-3", "place-3-far"))
    assert all(np.array_equal(one, other) for one, other in zip(near.scenes, far.scenes, strict=True))
    assert not np.array_equal(near.cast, far.cast)


def test_far_places_are_further_apart_than_near_ones_and_without_a_gap_all_are_the_same():
    def deviation(suffix, settings=SETTINGS):
        return np.std([middles(f"place-{number}{suffix}", settings) for number in range(60)], axis=0)

    assert (deviation("-far") > 1.2 * deviation("")).all()
    assert deviation("", replace(SETTINGS, gap=0.0)) == pytest.approx(0.0)


def test_every_place_can_be_drawn_and_its_ranges_are_in_order():
    for number in range(8):
        for name in (f"place-{number}", f"place-{number}-far"):
            assert draw_image(SETTINGS, name, 1, number % 4, 0).startswith(b"\xff\xd8")
            imaging = style_of(SETTINGS, name).imaging
            for low, high in (imaging.haze, imaging.resolution, imaging.jpeg, imaging.blur, imaging.noise):
                assert 0 <= low < high
