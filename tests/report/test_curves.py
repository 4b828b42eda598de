"""Averages behind the curves, and labels that do not overlap."""

import numpy as np
import pandas as pd
import pytest

from metabin.report import plots
from metabin.report.sections import losses, rho


def test_curve_is_the_mean_and_std_over_runs() -> None:
    frame = pd.DataFrame({"fold": ["a", "b"] * 2, "seed": 0, "step": [0, 0, 10, 10], "loss": [1.0, 3.0, 2.0, 2.0]})
    curve = plots.mean_curve(frame, "loss")
    assert curve["mean"].tolist() == [2.0, 2.0]
    assert curve["std"].tolist() == pytest.approx([np.sqrt(2), 0.0])


def test_curve_of_one_run_has_no_band_and_skips_nan() -> None:
    frame = pd.DataFrame({"fold": "a", "seed": 0, "step": [0, 1, 2], "loss": [1.0, np.nan, 3.0]})
    curve = plots.mean_curve(frame, "loss")
    assert curve.index.tolist() == [0, 2]
    assert curve["std"].tolist() == [0.0, 0.0]


def test_a_long_curve_is_averaged_in_bins_without_moving_its_mean() -> None:
    steps = np.arange(1200)
    frame = pd.DataFrame({"fold": "a", "seed": 0, "step": steps, "loss": steps.astype(float)})
    curve = plots.mean_curve(frame, "loss")
    assert len(curve) == plots.MAX_POINTS
    assert curve["mean"].mean() == pytest.approx(steps.mean())


def test_labels_are_spread_in_order_and_stay_inside() -> None:
    placed = losses.spread_labels([0.5, 0.98, 0.5, 0.97], 0.1, 0.0, 1.0)
    assert sorted(placed) == pytest.approx([0.5, 0.6, 0.9, 1.0])
    assert placed[1] > placed[3] > placed[0]


def test_labels_far_apart_do_not_move() -> None:
    assert losses.spread_labels([0.9, 0.1, 0.5], 0.1, 0.0, 1.0) == [0.9, 0.1, 0.5]


def test_many_layers_are_thinned_to_a_few_with_both_ends() -> None:
    layers = [f"layer{index}" for index in range(50)]
    selected = rho.select_layers(layers)
    assert len(selected) == rho.MAX_PANELS
    assert (selected[0], selected[-1]) == ("layer0", "layer49")
    assert rho.select_layers(layers[:5]) == layers[:5]


def test_final_shares_take_the_last_step_of_each_run_and_keep_the_network_order() -> None:
    rows = [
        ("a", 0, 10, "z", 0.0, 9), ("a", 0, 10, "z", 0.5, 0), ("a", 0, 20, "z", 0.0, 1), ("a", 0, 20, "z", 0.5, 3),
        ("a", 0, 20, "b", 0.0, 4), ("a", 0, 20, "b", 0.5, 0), ("b", 0, 10, "z", 0.0, 4), ("b", 0, 10, "z", 0.5, 0),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["fold", "seed", "step", "layer", "bin_left", "count"]).assign(method="m")
    shares = rho.final_shares(frame, "m")
    assert shares.index.tolist() == ["z", "b"]
    np.testing.assert_allclose(shares.to_numpy(), [[5 / 8, 3 / 8], [1.0, 0.0]])
