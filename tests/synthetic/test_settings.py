"""Tests of the settings: values out of range are refused, images are named as in Market-1501."""

from __future__ import annotations

import pytest

from metabin.synthetic import RenderSettings, image_name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 2**32),
        ("num_ids", 0),
        ("num_ids", 10_000),
        ("num_shots", 0),
        ("gap", 1.1),
        ("spread", -0.1),
        ("twin", 2.0),
        ("tone", float("nan")),
        ("num_changes", (0, 3)),
        ("num_changes", (4, 2)),
        ("num_changes", (1, 2, 3)),
    ],
)
def test_a_value_out_of_range_is_named_in_the_error(name, value):
    with pytest.raises(ValueError, match=name):
        RenderSettings(**{name: value})


def test_settings_from_a_yaml_list_equal_those_from_a_tuple():
    settings = RenderSettings(num_changes=[1, 3])  # type: ignore[arg-type]
    assert settings == RenderSettings(num_changes=(1, 3))
    assert hash(settings) == hash(RenderSettings(num_changes=(1, 3)))


def test_image_names_count_identities_cameras_and_shots_from_one():
    assert image_name(7, 1, 0) == "0007_c2_1.jpg"
    assert image_name(1234, 0, 11) == "1234_c1_12.jpg"
