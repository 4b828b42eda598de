"""Tests of identities: they are reproducible, and twins are alike in the right attributes."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from metabin.synthetic import RenderSettings
from metabin.synthetic.identity import FINE_CHANGES, Person, person_of

CLOTHES = (
    "upper",
    "lower",
    "pattern",
    "shoe_colour",
    "bag",
    "hat",
    "logo",
    "second_colour",
    "trim_colour",
)
NUM_IDS = 40


def people(settings, site="mall"):
    return [person_of(settings, site, pid) for pid in range(1, NUM_IDS + 1)]


def num_differing_groups(first, second):
    """Return the number of fine changes between two people, by the leading attribute of each."""
    leading = [names[0] for names in FINE_CHANGES.values()]
    return sum(getattr(first, name) != getattr(second, name) for name in leading)


def test_an_identity_depends_neither_on_the_number_of_identities_nor_on_the_order():
    few = RenderSettings(num_ids=NUM_IDS)
    many = RenderSettings(num_ids=500)
    forwards = people(few)
    backwards = [person_of(many, "mall", pid) for pid in range(NUM_IDS, 0, -1)]
    assert forwards == backwards[::-1]


def test_sites_and_seeds_have_different_people():
    settings = RenderSettings()
    assert person_of(settings, "mall", 1) != person_of(settings, "plaza", 1)
    assert person_of(settings, "mall", 1) != person_of(replace(settings, seed=1), "mall", 1)


def test_without_twins_no_two_people_share_the_main_colour():
    colours = [person.upper_colour for person in people(RenderSettings(twin=0.0))]
    assert len(set(colours)) == NUM_IDS


def test_tone_twins_wear_the_same_garments_in_other_shades():
    crowd = people(RenderSettings(twin=1.0, tone=1.0))
    for first, second in zip(crowd, crowd[1:], strict=False):
        assert all(getattr(first, name) == getattr(second, name) for name in CLOTHES)
        assert first.upper_colour != second.upper_colour
        assert first.lower_colour != second.lower_colour
        assert first.head != second.head


@pytest.mark.parametrize("num_changes", [1, 2, 5])
def test_fine_twins_keep_the_main_clothes_and_change_as_many_details_as_asked(num_changes):
    crowd = people(RenderSettings(twin=1.0, tone=0.0, num_changes=(num_changes, num_changes)))
    for first, second in zip(crowd, crowd[1:], strict=False):
        assert first.upper == second.upper
        assert first.lower_colour == second.lower_colour
        assert abs(first.upper_colour[0] - second.upper_colour[0]) < 0.06
        assert first.gait != second.gait
        # "bag" also changes the bag's colour, which is itself a fine change.
        assert num_changes <= num_differing_groups(first, second) <= num_changes + 1


def test_the_share_of_twins_is_as_set():
    crowd = [person_of(RenderSettings(), "plaza", pid) for pid in range(1, 401)]
    pairs = zip(crowd, crowd[1:], strict=False)
    num_twins = sum(first.logo_place == second.logo_place for first, second in pairs)
    # 45 % are twins; a few of them change the logo, and are not counted here.
    assert 0.36 <= num_twins / 399 <= 0.50


def test_every_fine_change_names_attributes_of_a_person():
    known = {field.name for field in fields(Person)}
    assert {name for names in FINE_CHANGES.values() for name in names} <= known
