"""Tables of the rho probe, computed by hand."""

import math

import pandas as pd
import pytest

from metabin.results import rho_probe


def row(kind, value, mAP, *, group="all", domain="x", role="unseen", fold="a", method="metabin"):  # noqa: N803
    return {"fold": fold, "method": method, "seed": 0, "kind": kind, "group": group, "value": value,
            "test_domain": domain, "role": role, "num_ids": 40, "mAP": mAP}  # fmt: skip


@pytest.fixture
def scores():
    return pd.DataFrame(
        [
            row("shift", -0.3, 0.5), row("shift", 0.0, 0.4), row("shift", 0.3, 0.1),
            row("shift", -0.3, 0.2, domain="y"), row("shift", 0.0, 0.3, domain="y"), row("shift", 0.3, 0.2, domain="y"),
            row("shift", -0.3, 0.6, domain="z", role="seen"), row("shift", 0.0, 0.7, domain="z", role="seen"),
            row("shift", 0.3, 0.8, domain="z", role="seen"),
            row("force", 0.0, 0.35, group="stem"), row("force", 1.0, 0.45, group="stem"),
            row("force", 0.0, 0.2, domain="y", group="stem"), row("force", 1.0, 0.4, domain="y", group="stem"),
            row("force", 0.0, 0.1), row("force", 1.0, 0.2),
        ]
    )  # fmt: skip


def test_changes_are_to_the_network_as_trained_on_the_same_test(scores):
    result = rho_probe.score_changes(scores).set_index(["kind", "group", "value", "test_domain"])["change"]
    assert result["shift", "all", -0.3, "x"] == pytest.approx(0.1)
    assert result["shift", "all", -0.3, "y"] == pytest.approx(-0.1)
    assert result["force", "stem", 1.0, "y"] == pytest.approx(0.1)
    assert result["shift", "all", 0.0, "z"] == 0


def test_forced_groups_are_means_over_the_tests_of_a_role_in_the_order_of_the_layers(scores):
    result = rho_probe.forced_groups(scores, "metabin")
    assert list(result.index) == ["stem", "all"]
    assert result.loc["stem", ("unseen", 0.0)] == pytest.approx((-0.05 - 0.1) / 2)
    assert result.loc["stem", ("unseen", 1.0)] == pytest.approx((0.05 + 0.1) / 2)
    assert result.loc["all", ("unseen", 1.0)] == pytest.approx(-0.2)


def test_each_domain_has_the_shift_with_its_highest_map(scores):
    result = rho_probe.best_shifts(scores).set_index("test_domain")
    assert result["shift"].to_dict() == {"x": -0.3, "y": 0.0, "z": 0.3}
    assert result["role"].to_dict() == {"x": "unseen", "y": "unseen", "z": "seen"}


def test_the_correlation_with_depth_is_that_of_ranks_at_the_last_step():
    layers = ["stem", "one", "two"]
    rho = pd.DataFrame(
        [
            {"fold": "a", "method": method, "seed": 0, "step": step, "layer": layer, "mean": mean}
            for method, step, means in (
                ("metabin", 0, (0.9, 0.5, 0.1)),
                ("metabin", 9, (0.1, 0.2, 0.9)),
                ("bin_joint", 9, (0.5, 0.5, 0.5)),
            )
            for layer, mean in zip(layers, means, strict=True)
        ]
    )
    result = rho_probe.depth_correlation(rho).set_index("method")["correlation"]
    assert result["metabin"] == pytest.approx(1.0)
    assert math.isnan(result["bin_joint"])


def test_a_domain_without_a_score_has_no_best_shift_and_the_others_keep_theirs(scores):
    scores.loc[scores["test_domain"] == "y", "mAP"] = float("nan")
    scores.loc[(scores["test_domain"] == "z") & (scores["value"] == 0.3), "mAP"] = float("nan")
    shift = rho_probe.best_shifts(scores).set_index("test_domain")["shift"]
    assert math.isnan(shift["y"])
    assert shift[["x", "z"]].to_dict() == {"x": -0.3, "z": 0.0}
    nothing = rho_probe.best_shifts(scores.assign(mAP=float("nan")))
    assert list(nothing.columns) == ["method", "test_domain", "role", "shift", "change"]
    assert nothing["shift"].isna().tolist() == [True] * 3
    assert rho_probe.forced_groups(scores.assign(mAP=float("nan")), "metabin").isna().all(axis=None)
