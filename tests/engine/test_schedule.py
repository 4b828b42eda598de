import pytest

from metabin.engine.schedule import triangle, warmup_milestones


def test_the_cyclic_ratio_equals_the_reference(reference):
    for step, expected in reference["cyclic_inner_ratio"]["k"].items():
        assert triangle(int(step), period=100, low=1e-3, high=0.1) == pytest.approx(expected, abs=1e-9)


def test_the_learning_rate_equals_the_reference(reference):
    for step, expected in reference["main_lr"]["lr"].items():
        factor = warmup_milestones(int(step), warmup_steps=100, milestones=(400, 700))
        assert 0.01 * factor == pytest.approx(expected, abs=1e-9)


def test_a_triangle_of_odd_period_stays_within_its_bounds_and_repeats():
    values = [triangle(step, period=7, low=1.0, high=4.0) for step in range(1, 15)]
    assert values[:7] == values[7:]
    assert (min(values), max(values)) == (1.0, 4.0)
    assert values.index(4.0) == 2  # step 3 is period // 2


def test_no_warm_up_starts_at_the_full_rate():
    assert warmup_milestones(0, warmup_steps=0, milestones=()) == 1.0
