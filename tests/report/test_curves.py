"""Averages behind the curves, and labels that do not overlap."""

import numpy as np
import pandas as pd
import pytest

from metabin.report import curves, heatmaps


def test_curve_is_the_mean_and_std_over_runs() -> None:
    frame = pd.DataFrame({"fold": ["a", "b"] * 2, "seed": 0, "step": [0, 0, 10, 10], "loss": [1.0, 3.0, 2.0, 2.0]})
    found = curves.curve(frame, "loss")
    assert found["mean"].tolist() == [2.0, 2.0]
    assert found["std"].tolist() == pytest.approx([np.sqrt(2), 0.0])


def test_curve_of_one_run_has_no_band_and_skips_nan() -> None:
    frame = pd.DataFrame({"fold": "a", "seed": 0, "step": [0, 1, 2], "loss": [1.0, np.nan, 3.0]})
    found = curves.curve(frame, "loss")
    assert found.index.tolist() == [0, 2]
    assert found["std"].tolist() == [0.0, 0.0]


def test_a_long_curve_is_averaged_in_bins_without_moving_its_mean() -> None:
    steps = np.arange(1200)
    frame = pd.DataFrame({"fold": "a", "seed": 0, "step": steps, "loss": steps.astype(float)})
    found = curves.curve(frame, "loss")
    assert len(found) == curves.MAX_POINTS
    assert found["mean"].mean() == pytest.approx(steps.mean())


def test_labels_are_spread_in_order_and_stay_inside() -> None:
    placed = curves.spread_labels([0.5, 0.98, 0.5, 0.97], 0.1, 0.0, 1.0)
    assert sorted(placed) == pytest.approx([0.5, 0.6, 0.9, 1.0])
    assert placed[1] > placed[3] > placed[0]


def test_labels_far_apart_do_not_move() -> None:
    assert curves.spread_labels([0.9, 0.1, 0.5], 0.1, 0.0, 1.0) == [0.9, 0.1, 0.5]


def test_many_layers_are_thinned_to_a_few_with_both_ends() -> None:
    layers = [f"layer{index}" for index in range(50)]
    shown = curves.shown_layers(layers)
    assert len(shown) == curves.MAX_PANELS
    assert (shown[0], shown[-1]) == ("layer0", "layer49")
    assert curves.shown_layers(layers[:5]) == layers[:5]


def test_final_shares_take_the_last_step_of_each_run_and_keep_the_network_order() -> None:
    rows = [
        ("a", 0, 10, "z", 0.0, 9), ("a", 0, 10, "z", 0.5, 0), ("a", 0, 20, "z", 0.0, 1), ("a", 0, 20, "z", 0.5, 3),
        ("a", 0, 20, "b", 0.0, 4), ("a", 0, 20, "b", 0.5, 0), ("b", 0, 10, "z", 0.0, 4), ("b", 0, 10, "z", 0.5, 0),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["fold", "seed", "step", "layer", "bin_left", "count"]).assign(method="m")
    found = heatmaps.final_shares(frame, "m")
    assert found.index.tolist() == ["z", "b"]
    np.testing.assert_allclose(found.to_numpy(), [[5 / 8, 3 / 8], [1.0, 0.0]])
