"""Identities are reproducible, and twins share what makes them hard to tell apart."""

from dataclasses import fields, replace

import pytest

from metabin.synthetic import DrawSettings
from metabin.synthetic.identity import FINE_CHANGES, Person, person_of

CLOTHES = ("upper", "lower", "pattern", "shoe_colour", "bag", "hat", "logo", "second_colour", "trim_colour")
NUM_IDS = 40


def people(settings, site="mall"):
    return [person_of(settings, site, pid) for pid in range(1, NUM_IDS + 1)]


def num_differing_groups(first, second):
    """How many of the fine changes are seen between two people, by the attribute that leads each."""
    return sum(getattr(first, names[0]) != getattr(second, names[0]) for names in FINE_CHANGES.values())


def test_an_identity_depends_neither_on_the_number_of_identities_nor_on_the_order():
    few, many = DrawSettings(num_ids=NUM_IDS), DrawSettings(num_ids=500)
    forwards = people(few)
    backwards = [person_of(many, "mall", pid) for pid in range(NUM_IDS, 0, -1)]
    assert forwards == backwards[::-1]


def test_sites_and_seeds_have_different_people():
    settings = DrawSettings()
    assert person_of(settings, "mall", 1) != person_of(settings, "plaza", 1)
    assert person_of(settings, "mall", 1) != person_of(replace(settings, seed=1), "mall", 1)


def test_without_twins_nobody_shares_the_main_colour():
    colours = [person.upper_colour for person in people(DrawSettings(twin=0.0))]
    assert len(set(colours)) == NUM_IDS


def test_tone_twins_wear_the_same_garments_in_other_shades():
    crowd = people(DrawSettings(twin=1.0, tone=1.0))
    for first, second in zip(crowd, crowd[1:], strict=False):
        assert all(getattr(first, name) == getattr(second, name) for name in CLOTHES)
        assert first.upper_colour != second.upper_colour
        assert first.lower_colour != second.lower_colour
        assert first.head != second.head


@pytest.mark.parametrize("num_changes", [1, 2, 5])
def test_fine_twins_keep_the_main_clothes_and_change_as_many_details_as_asked(num_changes):
    crowd = people(DrawSettings(twin=1.0, tone=0.0, num_changes=(num_changes, num_changes)))
    for first, second in zip(crowd, crowd[1:], strict=False):
        assert first.upper == second.upper
        assert first.lower_colour == second.lower_colour
        assert abs(first.upper_colour[0] - second.upper_colour[0]) < 0.06
        assert first.gait != second.gait
        # "bag" brings a bag's colour along, which is a fine change of its own
        assert num_changes <= num_differing_groups(first, second) <= num_changes + 1


def test_the_share_of_twins_is_as_set():
    crowd = [person_of(DrawSettings(), "plaza", pid) for pid in range(1, 401)]
    num_twins = sum(first.logo_place == second.logo_place for first, second in zip(crowd, crowd[1:], strict=False))
    # 45 % are twins; a few of them redraw the logo, and are missed here
    assert 0.36 <= num_twins / 399 <= 0.50


def test_every_fine_change_names_attributes_of_a_person():
    known = {field.name for field in fields(Person)}
    assert {name for names in FINE_CHANGES.values() for name in names} <= known
